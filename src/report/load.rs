//! What makes the load of a run, as the text that its flags take.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who came when, and how buyers differed. Keys are named like the flags, with `_` for `-`; values are what a person
/// would give the flag again. What was not given is not there, and neither is any of it in reports of versions that
/// did not write it down. All of it is part of `plan_digest`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadSettings {
    /// Arrivals per second, such as `500/s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// The stages, such as `30s:1000`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stage: Vec<String>,
    /// `poisson` or `constant`, of every run at a rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<String>,
    /// For how long buyers came, such as `30s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// How much of the run was left out of the figures, such as `5s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup: Option<String>,
    /// After how long users came again, such as `1s..3s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub think: Option<String>,
    /// The share that left once the cart was accepted, such as `10%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abandon: Option<String>,
    /// The share that sent everything twice, such as `10%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub click_twice: Option<String>,
    /// The share that sent a request again, and after how long, such as `10%:2s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// The share that left, and after how long, such as `10%:2s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub give_up: Option<String>,
    /// The share that came again later, and how much later, such as `10%:5s..20s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_later: Option<String>,
    /// The share with many lines, and how many, such as `5%:10..40`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bulk: Option<String>,
    /// The share of bots, and how many carts each sent, such as `5%:20`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bots: Option<String>,
    /// Corrections of stock, such as `3s:top10:+30`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restock: Vec<String>,
}

impl LoadSettings {
    /// What there is of it, by key.
    pub fn given(&self) -> serde_json::Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(given)) => given,
            _ => serde_json::Map::new(),
        }
    }
}
