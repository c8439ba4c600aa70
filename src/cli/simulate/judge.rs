//! Holds a run against its thresholds and its baseline, and writes its files.

use std::path::PathBuf;

use anyhow::Context as _;

use super::judging::{Baseline, Judging};
use crate::cli::{Context, Usage};
use crate::report::{
    self, OtherSettings, ReportFile, RunReport, RunSettings, Setup, Threshold, Verdict,
};
use crate::simulate::Plan;

/// What a run has to keep to; known to be usable before anybody buys.
pub(super) struct Judge {
    thresholds: Vec<Threshold>,
    baseline: Option<(String, RunReport)>,
    save: Option<ReportFile>,
    noise: f64,
    files: Vec<ReportFile>,
}

impl Judge {
    /// Reads the baseline, and makes sure that every file can be written.
    ///
    /// # Errors
    /// When one cannot; before anybody has bought anything.
    pub(super) fn prepare(args: &Judging, context: &Context) -> anyhow::Result<Self> {
        let baseline = args
            .baseline
            .as_ref()
            .map(|name| read(name, context))
            .transpose()?;
        for file in &args.report_file {
            file.check()?;
        }
        let save = args
            .save_baseline
            .as_ref()
            .map(|name| place(name, context))
            .transpose()?;
        Ok(Self {
            thresholds: args.threshold.clone(),
            baseline,
            save,
            noise: args.noise,
            files: args.report_file.clone(),
        })
    }

    /// Refuses a baseline of other buyers or settings, as long as nobody has bought anything.
    ///
    /// # Errors
    /// When it is one, with what differs.
    pub(super) fn check_setup(&self, plan: &Plan, settings: &RunSettings) -> anyhow::Result<()> {
        if let Some((name, baseline)) = &self.baseline {
            let setup = Setup {
                users: plan.users_coming(),
                seed: plan.seed(),
                plan_digest: &plan.digest(),
                settings,
            };
            report::check_setup(baseline, name, setup)
                .map_err(|error| Usage::new(error.to_string()))?;
        }
        Ok(())
    }

    /// Adds what came of thresholds and baseline to the report.
    ///
    /// # Errors
    /// When the baseline is of other settings; the thresholds are there all the same.
    pub(super) fn judge(&self, report: &mut RunReport) -> Result<(), OtherSettings> {
        report.thresholds = (self.thresholds.iter())
            .map(|threshold| threshold.judge(report))
            .collect();
        if let Some((name, baseline)) = &self.baseline {
            report.baseline = Some(report::compare(report, baseline, name, self.noise)?);
        }
        Ok(())
    }

    /// Writes the files, as soon as there is something to write.
    ///
    /// # Errors
    /// The first that could not be written; the others are.
    pub(super) fn write(&self, report: &RunReport) -> anyhow::Result<()> {
        Ok(report::write_all(&self.files, report)?)
    }

    /// Keeps the report as a baseline, if that is asked for and it is worth being one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn save(&self, report: &RunReport, context: &Context) -> anyhow::Result<()> {
        let Some(file) = &self.save else {
            return Ok(());
        };
        if report.verdict == Verdict::Broken || !report.valid || report.interrupted {
            context.out.warn(format_args!(
                "the baseline {file} was not saved: the run is broken, invalid or interrupted"
            ));
            return Ok(());
        }
        file.write(report).context("cannot save the baseline")?;
        context.out.note(format_args!("saved the baseline {file}"));
        Ok(())
    }
}

fn path(name: &Baseline, context: &Context) -> PathBuf {
    match name {
        Baseline::Named(name) => folder(context).join(format!("{name}.json")),
        Baseline::File(path) => path.clone(),
    }
}

fn folder(context: &Context) -> PathBuf {
    context.config.data_dir.join("baselines")
}

/// A baseline to compare with, and what to call it.
fn read(name: &Baseline, context: &Context) -> anyhow::Result<(String, RunReport)> {
    let path = path(name, context);
    let shown = match name {
        Baseline::Named(name) => name.clone(),
        Baseline::File(path) => path.display().to_string(),
    };
    if !path.exists() {
        return Err(Usage::new(format!(
            "there is no baseline {shown} at {}; --save-baseline {shown} makes one",
            path.display()
        ))
        .into());
    }
    Ok((shown, report::read(&path)?))
}

/// Where a baseline will be saved.
fn place(name: &Baseline, context: &Context) -> anyhow::Result<ReportFile> {
    if matches!(name, Baseline::Named(_)) {
        let folder = folder(context);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let path = path(name, context);
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    // A file that is made here and never filled would be a baseline that cannot be read.
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(Usage::new(format!(
            "the baseline {} cannot be saved: there is no such folder",
            path.display()
        ))
        .into());
    }
    Ok(path.display().to_string().parse::<ReportFile>()?)
}
