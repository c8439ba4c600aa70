//! A scenario file: TOML whose keys are named like the flags, with the values that the flags take.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::Path;

use clap::Parser;
use toml::{Spanned, Value};

use super::super::Args;
use crate::config::{Error, PaymentUrl, line_at};
use crate::report::{Threshold, ThresholdError};

/// The flags that a scenario can set; those of the place where it runs (stores, target, report) are not among them.
const FLAGS: &[&str] = &[
    "users",
    "items",
    "stock",
    "zipf",
    "lines",
    "quantity",
    "come-back",
    "seed",
    "wait",
    "hold",
    "ramp",
    "rate",
    "stage",
    "arrivals",
    "duration",
    "warmup",
    "think",
    "in-flight",
    "abandon",
    "click-twice",
    "retry",
    "give-up",
    "return-later",
    "bulk",
    "bots",
    "restock",
];

/// Keys with lists of values: flags that are repeated, and the thresholds.
const LISTS: &[&str] = &["stage", "restock", "thresholds"];

/// What a file says.
#[derive(Debug, Default)]
pub struct Scenario {
    /// What it is, in a sentence.
    pub about: String,
    /// The flags that it sets.
    pub args: Args,
    /// What must hold of the result, beside the invariants.
    pub thresholds: Vec<Threshold>,
    /// The gateway.
    pub payment_url: Option<PaymentUrl>,
}

/// The flags alone, as clap reads them.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct Flags {
    #[command(flatten)]
    args: Args,
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// The first thing that is wrong with it, with file, line and key.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let at = |offset: usize, message: String| Error::Syntax {
            path: path.to_owned(),
            line: line_at(text, offset),
            message,
        };
        let keys: BTreeMap<Spanned<String>, Spanned<Value>> =
            toml::from_str(text).map_err(|error| {
                let offset = error.span().map_or(0, |span| span.start);
                at(offset, error.message().replace('\n', " "))
            })?;
        let mut scenario = Self::default();
        let mut words = Vec::new();
        for (key, value) in &keys {
            let name = key.get_ref().as_str();
            let refuse = |message: String| at(value.span().start, format!("{name}: {message}"));
            let values = values(name, value.get_ref()).map_err(refuse)?;
            let first = || values.first().cloned().unwrap_or_default();
            match name {
                "about" => scenario.about = first(),
                "thresholds" => {
                    let read: Result<_, _> = values.iter().map(|text| text.parse()).collect();
                    scenario.thresholds =
                        read.map_err(|error: ThresholdError| refuse(error.to_string()))?;
                }
                "payment-url" => {
                    let url = PaymentUrl::parse(&first(), Path::new("."));
                    scenario.payment_url = Some(url.map_err(|error| refuse(error.to_string()))?);
                }
                name if FLAGS.contains(&name) => {
                    let flags: Vec<String> = (values.iter())
                        .map(|value| format!("--{name}={value}"))
                        .collect();
                    // One by one, so that it is known which one is wrong.
                    Flags::try_parse_from(&flags).map_err(|error| refuse(reason(&error)))?;
                    words.extend(flags);
                }
                _ => return Err(at(key.span().start, unknown(name))),
            }
        }
        let flags = Flags::try_parse_from(&words).map_err(|error| at(0, reason(&error)))?;
        scenario.args = flags.args;
        Ok(scenario)
    }
}

/// The values of a key as text.
fn values(key: &str, value: &Value) -> Result<Vec<String>, String> {
    match (value, LISTS.contains(&key)) {
        (Value::Array(values), true) => values.iter().map(one).collect(),
        (Value::Array(_), false) => Err("one value is expected, not a list".to_owned()),
        (value, true) => Err(format!("a list is expected: write [{value}]")),
        (value, false) => one(value).map(|value| vec![value]),
    }
}

fn one(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        other => Err(format!(
            "a text or a number is expected, not a {}",
            other.type_str()
        )),
    }
}

/// Why clap refuses a value: the parser's own words, or clap's first line.
fn reason(error: &clap::Error) -> String {
    if let Some(source) = error.source() {
        return source.to_string();
    }
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

fn unknown(name: &str) -> String {
    format!(
        "unknown key `{name}`; known are about, payment-url, thresholds, {}",
        FLAGS.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Scenario, Error> {
        Scenario::parse(Path::new("mine.toml"), text)
    }

    #[test]
    fn keys_are_the_flags_and_take_what_they_take() {
        let scenario = parse(
            r#"
about = "A sale."
users = 3000
zipf = 0.5
rate = "500/s"
stage = ["5s:1000", "5s:0"]
abandon = "10%"
restock = ["3s:top10:+50"]
payment-url = "simulated:?success=0.5"
thresholds = ["undersold==0", "placed>0"]
"#,
        )
        .unwrap();
        assert_eq!(scenario.about, "A sale.");
        assert_eq!(scenario.args.users, Some(3_000));
        assert_eq!(scenario.args.load.stages.len(), 2);
        assert_eq!(scenario.args.crowd.restock.len(), 1);
        let thresholds: Vec<String> = (scenario.thresholds.iter())
            .map(ToString::to_string)
            .collect();
        assert_eq!(thresholds, ["undersold==0", "placed>0"]);
        assert!(scenario.payment_url.is_some());
        assert_eq!(scenario.args.seed, None, "what is not said is not set");
    }

    #[test]
    fn what_is_wrong_names_file_line_and_key() {
        for (text, message) in [
            (
                "about = \"x\"\nhold = \"15mins\"\n",
                "mine.toml:2: hold: `15mins` is not a duration: write 15m",
            ),
            (
                "\n\nstage = [\"5s:1\", \"5s\"]",
                "mine.toml:3: stage: `5s` is not a stage: write a time and a rate, such as 30s:1000",
            ),
            (
                "stage = \"5s:1\"",
                "mine.toml:1: stage: a list is expected: write [\"5s:1\"]",
            ),
            (
                "users = [1]",
                "mine.toml:1: users: one value is expected, not a list",
            ),
            (
                "users = true",
                "mine.toml:1: users: a text or a number is expected, not a boolean",
            ),
            (
                "users = 0",
                "mine.toml:1: users: 1 to 50000000 buyers are allowed",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
        }
        let unknown = parse("about = \"x\"\nuser = 5\n").unwrap_err().to_string();
        assert!(
            unknown.starts_with("mine.toml:2: unknown key `user`; known are about,"),
            "{unknown}"
        );
        let syntax = parse("about = \"x\"\n= 5\n").unwrap_err().to_string();
        assert!(syntax.starts_with("mine.toml:2: "), "{syntax}");
        let twice = parse("users = 1\nusers = 2\n").unwrap_err().to_string();
        assert!(twice.starts_with("mine.toml:2: "), "{twice}");
    }

    #[test]
    fn where_it_runs_is_not_for_a_scenario_to_say() {
        for key in ["target", "trace", "report-file", "data-dir", "scenario"] {
            let error = parse(&format!("{key} = \"x\"")).unwrap_err().to_string();
            assert!(error.contains("unknown key"), "{error}");
        }
    }
}
