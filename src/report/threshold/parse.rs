//! From text to a threshold, with errors that say what would have been right.

use super::metric::{Metric, Unit};
use super::{Relation, Threshold};
use crate::domain::parse_duration;

/// The longest first, so that `<=` is not taken for `<`.
const RELATIONS: [(&str, Relation); 6] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("==", Relation::Equal),
    ("!=", Relation::Other),
    ("<", Relation::Below),
    (">", Relation::Above),
];

/// A text that is no threshold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no threshold: {why}")]
pub struct ThresholdError {
    text: String,
    why: String,
}

pub(super) fn threshold(text: &str) -> Result<Threshold, ThresholdError> {
    read(text.trim()).map_err(|why| ThresholdError {
        text: text.chars().take(80).collect(),
        why,
    })
}

fn read(text: &str) -> Result<Threshold, String> {
    let (text_of_relation, step) = match text.split_once(" for ") {
        Some((relation, step)) => (relation, Some(step.trim())),
        None => (text, None),
    };
    let at = text_of_relation.find(['<', '>', '=', '!']).ok_or(
        "it compares nothing; write one such as failed<1% or \"p99<50ms for place_order\"",
    )?;
    let (name, rest) = text_of_relation.split_at(at);
    let (sign, relation) = RELATIONS
        .into_iter()
        .find(|(sign, _)| rest.starts_with(sign))
        .ok_or("it compares by none of < <= > >= == !=")?;
    let metric = Metric::named(name.trim(), step)?;
    let bound = rest[sign.len()..].trim();
    let (bound, percent) = read_bound(bound, metric.unit())?;
    Ok(Threshold {
        text: text.to_owned(),
        metric,
        relation,
        bound,
        percent,
    })
}

/// The bound in the unit of the metric, and whether it is a share.
fn read_bound(text: &str, unit: Unit) -> Result<(f64, bool), String> {
    let number = |text: &str| {
        let digits = text.starts_with(|first: char| first.is_ascii_digit());
        let number = text.replace('_', "").parse::<f64>().ok();
        number.filter(|number| digits && number.is_finite())
    };
    let share = text.strip_suffix('%').map(|text| number(text.trim()));
    let plain = number(text);
    match (unit, share, plain) {
        (Unit::Time, ..) => parse_duration(text)
            .map(|time| (time.as_secs_f64() * 1_000.0, false))
            .map_err(|error| error.to_string()),
        (Unit::Count { shares: true } | Unit::Share, Some(Some(share)), _) => Ok((share, true)),
        (_, Some(Some(_)), _) => Err("it is no share of anything; leave out the %".to_owned()),
        (Unit::Rate, ..) => number(text.strip_suffix("/s").unwrap_or(text))
            .map(|number| (number, false))
            .ok_or_else(|| format!("`{text}` is no rate; write one such as 1000 or 1000/s")),
        (_, _, Some(number)) => Ok((number, false)),
        (Unit::Count { shares: true } | Unit::Share, ..) => Err(format!(
            "`{text}` is neither a number nor a share such as 1%"
        )),
        _ => Err(format!("`{text}` is no number")),
    }
}
