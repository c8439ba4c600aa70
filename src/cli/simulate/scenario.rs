//! Scenarios: flags in a file, under a name. What is given on the command line comes before them.

mod file;
mod shipped;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;

pub(super) use file::Scenario;
use shipped::SHIPPED;

use super::Args;
use crate::cli::{Output, Table, Usage, exit};

/// Fills in what the scenario says, where the flags say nothing.
///
/// # Errors
/// When there is no such scenario, or what is in it cannot be used.
pub(super) fn apply(args: Args) -> anyhow::Result<Args> {
    let Some(name) = &args.scenario else {
        return Ok(args);
    };
    let scenario = find(name)?;
    Ok(args.over(scenario))
}

fn find(name: &str) -> anyhow::Result<Scenario> {
    if let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        return Ok(Scenario::parse(&shipped_path(name), text)?);
    }
    let path = Path::new(name);
    if path.extension().is_none() && !name.contains(std::path::MAIN_SEPARATOR) {
        return Err(Usage::new(format!(
            "there is no scenario `{name}`; `oms simulate --list` shows those there are, and a file ends in .toml"
        ))
        .into());
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the scenario {}", path.display()))?;
    Ok(Scenario::parse(path, &text)?)
}

fn shipped_path(name: &str) -> PathBuf {
    Path::new("scenarios").join(name).with_extension("toml")
}

/// A scenario as it is listed.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    about: String,
}

/// Prints the scenarios that are built in.
///
/// # Errors
/// What kept them from being written.
pub(super) fn list(out: &Output) -> anyhow::Result<ExitCode> {
    let mut scenarios = Vec::new();
    for (name, text) in SHIPPED {
        let about = Scenario::parse(&shipped_path(name), text)?.about;
        scenarios.push(Listed { name, about });
    }
    out.list(&scenarios, |scenarios| {
        let mut table = Table::new(&["scenario", "~about"]);
        for scenario in scenarios {
            table.row([scenario.name.to_owned(), scenario.about.clone()]);
        }
        table
    })?;
    Ok(exit::DONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Arrivals;

    #[test]
    fn every_shipped_scenario_can_be_used_and_takes_less_than_a_minute() {
        for (name, text) in SHIPPED {
            let scenario = Scenario::parse(&shipped_path(name), text)
                .unwrap_or_else(|error| panic!("{error}"));
            assert!(!scenario.about.is_empty(), "{name}");
            assert!(
                (scenario.thresholds.iter())
                    .any(|threshold| threshold.to_string() == "undersold==0"),
                "{name}: {:?}",
                scenario.thresholds
            );
            assert!(
                !(scenario.thresholds.iter()).any(|threshold| threshold.to_string().contains("ms")),
                "{name} has a threshold on time, which another machine misses"
            );
            let load = &scenario.args.load;
            let lasts = match load.arrivals().unwrap() {
                Arrivals::Open { schedule, .. } => schedule.duration(),
                _ => load.duration,
            };
            let lasts = lasts.unwrap_or_default() + load.ramp();
            assert!(lasts.as_secs() <= 30, "{name} takes {lasts:?}");
        }
    }

    #[test]
    fn names_are_those_of_the_files_in_order() {
        let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        assert!(names.is_sorted(), "{names:?}");
        let mut files: Vec<String> =
            std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"))
                .unwrap()
                .map(|entry| {
                    entry
                        .unwrap()
                        .path()
                        .file_stem()
                        .unwrap()
                        .to_string_lossy()
                        .into_owned()
                })
                .collect();
        files.sort_unstable();
        assert_eq!(names, files);
    }

    #[test]
    fn a_name_that_nobody_knows_says_where_to_look() {
        let error = find("flash-sail").err().unwrap();
        assert!(
            error.is::<Usage>() && error.to_string().contains("--list"),
            "{error}"
        );
    }
}
