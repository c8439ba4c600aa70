//! Whether two runs are of the same settings, so that they can be compared or merged.

use serde_json::Value;

use super::RunReport;

/// Settings that were measured, or say what was found, and differ between any two runs.
const FOUND: [&str; 3] = ["seeded", "in_flight_max", "arrival_lag_max_ms"];

/// In what the settings of two runs differ, as people read it, but for what is measured and for `besides`.
pub(super) fn differences(one: &RunReport, other: &RunReport, besides: &[&str]) -> Vec<String> {
    let (one, other) = (settings(one), settings(other));
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| !FOUND.contains(&name.as_str()) && !besides.contains(&name.as_str()))
        .filter_map(|name| {
            let [one, other] = [&one, &other].map(|of| of.get(name).unwrap_or(&Value::Null));
            (one != other).then(|| format!("{name} is {} and {}", shown(one), shown(other)))
        })
        .collect()
}

/// The settings of a run with all that belongs to them.
fn settings(run: &RunReport) -> serde_json::Map<String, Value> {
    let mut settings = match serde_json::to_value(&run.settings) {
        Ok(Value::Object(settings)) => settings,
        _ => serde_json::Map::new(),
    };
    settings.insert("users".to_owned(), run.users.into());
    settings.insert("seed".to_owned(), run.seed.into());
    settings.insert("plan_digest".to_owned(), run.plan_digest.clone().into());
    settings
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "not given".to_owned(),
        Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    }
}
