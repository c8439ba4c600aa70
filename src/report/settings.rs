//! Whether two runs are of the same settings, so that they can be compared or merged, and how settings are shown.

use serde_json::{Map, Value};

use super::{RunReport, RunSettings};

/// Settings that were measured, or say what was found, and differ between any two runs.
const FOUND: [&str; 3] = ["seeded", "in_flight_max", "arrival_lag_max_ms"];

/// What a run is made with: all of it is known before anybody buys, but for what is found under way.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// Buyers.
    pub users: u64,
    /// The seed of buyers and carts.
    pub seed: u64,
    /// The hash of the plan.
    pub plan_digest: &'a str,
    /// All else.
    pub settings: &'a RunSettings,
}

impl<'a> From<&'a RunReport> for Setup<'a> {
    fn from(run: &'a RunReport) -> Self {
        Self {
            users: run.users,
            seed: run.seed,
            plan_digest: &run.plan_digest,
            settings: &run.settings,
        }
    }
}

/// In what two runs differ, as people read it, but for what is measured and for `besides`.
pub(super) fn differences<'a>(
    one: impl Into<Setup<'a>>,
    other: impl Into<Setup<'a>>,
    besides: &[&str],
) -> Vec<String> {
    let (one, other) = (one.into(), other.into());
    // One plan is one load, in whatever words; and older reports have none for it.
    let with_load = one.plan_digest != other.plan_digest;
    let [one, other] = [one, other].map(|setup| settings(setup, with_load));
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| !FOUND.contains(&name.as_str()) && !besides.contains(&name.as_str()))
        .filter_map(|name| {
            let [one, other] = [&one, &other].map(|of| of.get(name).unwrap_or(&Value::Null));
            (one != other).then(|| format!("{name} is {} and {}", quoted(one), quoted(other)))
        })
        .collect()
}

/// The settings of a run with all that belongs to them.
fn settings(setup: Setup<'_>, with_load: bool) -> Map<String, Value> {
    let mut settings = all(setup.settings);
    if !with_load {
        for name in setup.settings.load.given().keys() {
            settings.remove(name);
        }
    }
    settings.insert("users".to_owned(), setup.users.into());
    settings.insert("seed".to_owned(), setup.seed.into());
    settings.insert("plan_digest".to_owned(), setup.plan_digest.into());
    settings
}

fn all(settings: &RunSettings) -> Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(settings)) => settings,
        _ => Map::new(),
    }
}

fn quoted(value: &Value) -> String {
    match value {
        Value::Null => "not given".to_owned(),
        Value::String(_) | Value::Array(_) => format!("`{}`", shown(value)),
        other => other.to_string(),
    }
}

/// A setting as text, such as `30s:500, 10s:1000` for two stages, or `created 100, was_empty` for what was seeded.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(facts) => {
            let facts = facts.iter().filter_map(|(name, value)| match value {
                Value::Bool(so) => so.then(|| name.clone()),
                other => Some(format!("{name} {}", shown(other))),
            });
            facts.collect::<Vec<_>>().join(", ")
        }
        Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Every setting that there is, with its value as text.
pub(super) fn rows(settings: &RunSettings) -> Vec<(String, String)> {
    pairs(all(settings))
}

/// What makes the load, with its values as text; empty for a plain run.
pub(super) fn load(settings: &RunSettings) -> Vec<(String, String)> {
    pairs(settings.load.given())
}

fn pairs(settings: Map<String, Value>) -> Vec<(String, String)> {
    (settings.into_iter())
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let text = shown(&value);
            (name, text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use crate::simulate::Seeded;

    fn of(change: impl FnOnce(&mut RunReport)) -> RunReport {
        let mut run = fixture::report();
        change(&mut run);
        run
    }

    #[test]
    fn what_makes_another_load_is_named_with_both_values() {
        let one = of(|run| {
            run.settings.load.rate = Some("300/s".to_owned());
            run.settings.load.restock = vec!["3s:top10:+30".to_owned(), "5s:A:-1".to_owned()];
        });
        let other = of(|run| {
            run.plan_digest = "0".to_owned();
            run.settings.load.rate = Some("500/s".to_owned());
        });
        let found = differences(&one, &other, &["plan_digest"]);
        assert_eq!(
            found,
            [
                "rate is `300/s` and `500/s`",
                "restock is `3s:top10:+30, 5s:A:-1` and not given",
            ]
        );
    }

    #[test]
    fn one_plan_is_one_load_in_whatever_words() {
        let said = of(|run| run.settings.load.retry = Some("10%:2s".to_owned()));
        assert!(differences(&said, &fixture::report(), &[]).is_empty());
    }

    #[test]
    fn lists_are_shown_without_brackets_and_what_is_not_there_not_at_all() {
        let mut run = of(|run| {
            run.settings.load.stage = vec!["30s:500".to_owned(), "10s:1000".to_owned()];
        });
        let stages = ("stage".to_owned(), "30s:500, 10s:1000".to_owned());
        run.settings.seeded = Some(Seeded {
            created: 100,
            was_empty: true,
            ..Seeded::default()
        });
        let rows = rows(&run.settings);
        assert!(rows.contains(&stages), "{rows:?}");
        let seeded = "created 100, had_more 0, topped_up 0, was_empty".to_owned();
        assert!(rows.contains(&("seeded".to_owned(), seeded)), "{rows:?}");
        assert_eq!(load(&run.settings), [stages]);
        assert!(rows.iter().all(|(name, _)| name != "rate"), "{rows:?}");
    }
}
