//! The arguments of `oms simulate` that say what a run has to keep to, and with what it is compared.

use std::path::PathBuf;

use crate::config::parse_count;
use crate::report::{ReportFile, Threshold};
use crate::simulate::Shard;

/// The most runs of one command.
const REPEAT_MAX: u64 = 100;

/// What a run has to keep to, with what it is compared, and where its report goes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Verdict and reports")]
pub struct Judging {
    /// What the run has to keep to, such as "failed<1%"; repeatable
    #[arg(long, value_name = "THRESHOLD")]
    pub threshold: Vec<Threshold>,
    /// Compare with a baseline; exit code 5 when slower
    #[arg(long, value_name = "NAME|FILE.json", value_parser = Baseline::read)]
    pub baseline: Option<Baseline>,
    /// Keep the report as a baseline
    #[arg(long, value_name = "NAME|FILE.json", value_parser = Baseline::read)]
    pub save_baseline: Option<Baseline>,
    /// Changes up to this share are noise
    #[arg(long, value_name = "SHARE", default_value = "10%", value_parser = share)]
    pub noise: f64,
    /// Run so many times, each with stock topped up, and tell of the median
    #[arg(long, value_name = "TIMES", default_value = "1", value_parser = repeat, conflicts_with_all = ["target", "shard"])]
    pub repeat: u64,
    /// Send only this part of the buyers, such as 1/4: the others come from other machines
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,
    /// Write the report: .json, .html, .csv, .hlog, .md or .xml (JUnit); repeatable
    #[arg(long, value_name = "FILE.EXT")]
    pub report_file: Vec<ReportFile>,
}

impl Default for Judging {
    fn default() -> Self {
        Self {
            threshold: Vec::new(),
            baseline: None,
            save_baseline: None,
            noise: 0.1,
            repeat: 1,
            shard: None,
            report_file: Vec::new(),
        }
    }
}

impl Judging {
    /// With the thresholds of a scenario before its own.
    pub(super) fn with(mut self, mut thresholds: Vec<Threshold>) -> Self {
        thresholds.append(&mut self.threshold);
        self.threshold = thresholds;
        self
    }
}

/// Where a baseline is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Baseline {
    /// In the data directory, by this name.
    Named(String),
    /// In this file.
    File(PathBuf),
}

impl Baseline {
    fn read(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            return Ok(Self::File(path));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || text.starts_with('.') || !text.chars().all(plain) {
            return Err(
                "a name of letters, digits, `-`, `_` and `.` is allowed, or a file that ends in .json"
                    .to_owned(),
            );
        }
        Ok(Self::Named(text.to_owned()))
    }
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').map(str::parse::<f64>);
    match number {
        Some(Ok(percent)) if (0.0..=1_000.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("write a share such as 10%".to_owned()),
    }
}

fn repeat(text: &str) -> Result<u64, String> {
    match parse_count(text) {
        Ok(count @ 1..=REPEAT_MAX) => Ok(count),
        Ok(_) => Err(format!("1 to {REPEAT_MAX} runs are allowed")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_a_name_or_a_file() {
        assert_eq!(
            Baseline::read("main-2"),
            Ok(Baseline::Named("main-2".to_owned()))
        );
        assert_eq!(
            Baseline::read("a/b.json"),
            Ok(Baseline::File("a/b.json".into()))
        );
        for text in ["", "..", ".x", "a/b", "a b"] {
            assert!(Baseline::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn noise_is_a_share() {
        assert_eq!(share("5%"), Ok(0.05));
        for text in ["5", "-5%", "%", "x%", "NaN%"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
