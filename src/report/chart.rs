//! A chart of lines with its table, as a file of its own.

use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::str::FromStr;

use super::files::{WriteError, check_writable};
use super::{html, markup::cell};
use crate::terminal::grouped;

/// Lines over one axis, and the figures behind them.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: &'static str,
    /// A sentence that says how to read it.
    pub reading: &'static str,
    /// The axis below.
    pub x: &'static str,
    /// The axis beside, which is logarithmic.
    pub y: &'static str,
    /// The lines, at most [`LINES_MAX`].
    pub lines: Vec<ChartLine>,
    /// Names of the columns of the table.
    pub header: Vec<&'static str>,
    /// Rows of as many cells.
    pub rows: Vec<Vec<String>>,
    /// The command that repeats it.
    pub command: String,
}

/// A line and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct ChartLine {
    /// Its name.
    pub name: &'static str,
    /// Places on both axes, none of them negative, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// Lines that have a colour of their own.
pub const LINES_MAX: usize = 6;

/// The longest bar of a chart in text, in characters.
const BAR: f64 = 48.0;

/// A file for a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartFile {
    path: PathBuf,
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Html,
    Markdown,
}

/// A name whose extension names no format of a chart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a chart is written as .html or .md; name a file such as curve.html")]
pub struct UnknownChartFormat;

impl FromStr for ChartFile {
    type Err = UnknownChartFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("html") => Format::Html,
            Some("md") => Format::Markdown,
            _ => return Err(UnknownChartFormat),
        };
        Ok(Self { path, format })
    }
}

impl ChartFile {
    /// Makes sure that it can be written, and leaves one that is there as it is.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(&self) -> Result<(), WriteError> {
        check_writable(&self.path)
    }

    /// Writes the chart.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, chart: &Chart) -> Result<(), WriteError> {
        let text = match self.format {
            Format::Html => html::chart_page(chart),
            Format::Markdown => markdown(chart),
        };
        std::fs::write(&self.path, text).map_err(|source| WriteError::new(&self.path, source))
    }
}

/// A table, and bars by place on the axis.
fn markdown(chart: &Chart) -> String {
    let mut md = String::new();
    // Writing to a string cannot fail.
    let _ = table(&mut md, chart);
    let _ = bars(&mut md, chart);
    md
}

fn table(md: &mut String, chart: &Chart) -> fmt::Result {
    writeln!(md, "# {}\n\n{}\n", chart.title, chart.reading)?;
    writeln!(md, "| {} |", chart.header.join(" | "))?;
    let numbers = "---:|".repeat(chart.header.len().saturating_sub(1));
    writeln!(md, "|---|{numbers}")?;
    for row in &chart.rows {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        writeln!(md, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "neither is negative, and a bar has few characters"
)]
fn bars(md: &mut String, chart: &Chart) -> fmt::Result {
    let points = || chart.lines.iter().flat_map(|line| &line.points);
    let most = points().map(|point| point.1).fold(1.0, f64::max);
    let mut places: Vec<f64> = points().map(|point| point.0).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let width = chart.lines.iter().map(|line| line.name.len()).max();
    let width = width.unwrap_or(0);
    writeln!(md, "\n{} by {}:\n\n```text", chart.y, chart.x)?;
    for place in places {
        writeln!(md, "{place}")?;
        for line in &chart.lines {
            let found = line
                .points
                .iter()
                .find(|point| point.0.total_cmp(&place).is_eq());
            let Some((_, value)) = found else { continue };
            let bar = "#".repeat((value / most * BAR).ceil() as usize);
            let value = grouped(value.round() as u64);
            writeln!(md, "  {:width$} {bar} {value}", line.name)?;
        }
    }
    writeln!(
        md,
        "```\n\nTo repeat it:\n\n```sh\n{}\n```",
        chart.command.replace("```", "` ` `")
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn chart() -> Chart {
        Chart {
            title: "Strategies",
            reading: "Higher is better.",
            x: "exponent",
            y: "orders/s",
            lines: vec![
                ChartLine {
                    name: "slow",
                    points: vec![(0.0, 3_000.0), (1.5, 1_200.0)],
                },
                ChartLine {
                    name: "fast",
                    points: vec![(0.0, 60_000.0), (1.5, 80_000.0)],
                },
            ],
            header: vec!["strategy", "orders/s"],
            rows: vec![vec!["slow".to_owned(), "3,000".to_owned()]],
            command: "oms bench --skus '<b>'".to_owned(),
        }
    }

    #[test]
    fn the_extension_names_the_format() {
        for name in ["a.html", "b/c.md"] {
            assert!(name.parse::<ChartFile>().is_ok(), "{name}");
        }
        for name in ["a.json", "a", "html", ""] {
            assert!(name.parse::<ChartFile>().is_err(), "{name}");
        }
    }

    #[test]
    fn markdown_has_the_table_and_a_bar_for_every_point() {
        let md = markdown(&chart());
        assert!(
            md.contains("| strategy | orders/s |\n|---|---:|\n| slow | 3,000 |"),
            "{md}"
        );
        assert!(md.contains("\n1.5\n  slow # 1,200\n"), "{md}");
        let longest = "#".repeat(48);
        assert!(md.contains(&format!("  fast {longest} 80,000\n")), "{md}");
    }
}
