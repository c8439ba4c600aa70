//! Reads a report that was written as JSON.

use std::path::{Path, PathBuf};

use super::RunReport;

/// A file that is no report of a run.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the report {}: {why}", file.display())]
pub struct ReadError {
    file: PathBuf,
    why: String,
}

/// Reads `run.json`, of this version or an earlier one.
///
/// # Errors
/// Which file, where in it, and what is wrong.
pub fn read(file: &Path) -> Result<RunReport, ReadError> {
    let refuse = |why: String| ReadError {
        file: file.to_owned(),
        why,
    };
    let text = std::fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| {
        refuse(format!(
            "{error}; `oms simulate --report-file run.json` writes one"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_report_reads_back_as_it_was_written() {
        let mut report = fixture::report();
        report.settings.load.rate = Some("300/s".to_owned());
        report.settings.load.stage = vec!["30s:1000".to_owned()];
        let (_folder, path) = written(&serde_json::to_string_pretty(&report).unwrap());
        let again = read(&path).unwrap();
        assert_eq!(
            serde_json::to_value(&again).unwrap(),
            serde_json::to_value(&report).unwrap()
        );
    }

    #[test]
    fn what_an_older_version_did_not_write_has_a_default() {
        let mut old = serde_json::to_value(fixture::report()).unwrap();
        let keys = old.as_object_mut().unwrap();
        for key in [
            "command",
            "started_at",
            "service_ms",
            "arrivals",
            "valid",
            "thresholds",
            "histograms",
            "series",
            "fairness",
            "notes",
        ] {
            assert!(keys.remove(key).is_some(), "{key}");
        }
        let (_folder, path) = written(&old.to_string());
        let again = read(&path).unwrap();
        assert!(again.valid && again.thresholds.is_empty());
        assert!(again.settings.load.given().is_empty() && again.settings.in_flight.is_none());
    }

    #[test]
    fn a_file_that_is_none_is_refused_with_its_name_and_the_place() {
        for (text, why) in [
            ("{}", "missing field"),
            ("{\n\"users\": -1}", "line 2"),
            ("", "EOF"),
        ] {
            let (_folder, path) = written(text);
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("run.json") && error.contains(why), "{error}");
        }
        let error = read(Path::new("nowhere.json")).unwrap_err().to_string();
        assert!(error.contains("nowhere.json"), "{error}");
    }
}
