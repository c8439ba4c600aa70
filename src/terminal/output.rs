//! How stdout and stderr are to look, and what happens when nobody reads them.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::table::Table;

/// stdout was closed by whoever read it: the command ends quietly, with exit code 0.
#[derive(Debug, thiserror::Error)]
#[error("stdout is closed")]
pub struct ClosedPipe;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A colour that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Good.
    Green,
    /// Not good.
    Yellow,
    /// Bad.
    Red,
    /// Beside the point.
    Dim,
}

/// What the streams are and what was asked for.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct Output {
    json: bool,
    quiet: bool,
    colour: bool,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
}

impl Output {
    /// The streams of this process, as JSON or for people, with or without talk.
    pub fn new(json: bool, quiet: bool, color: ColorChoice) -> Self {
        let stdout_is_terminal = io::stdout().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            json,
            quiet,
            colour: match color {
                ColorChoice::Always => true,
                ColorChoice::Never => false,
                ColorChoice::Auto => stdout_is_terminal && !no_colour && !dumb,
            },
            stdout_is_terminal,
            stderr_is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Whether data is to be JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether only data and errors are wanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether stdout takes colours.
    pub fn is_coloured(&self) -> bool {
        self.colour
    }

    /// Whether somebody watches stderr: only then there is progress.
    pub fn shows_progress(&self) -> bool {
        self.stderr_is_terminal && !self.quiet
    }

    /// Text in a colour, where stdout takes colours.
    pub fn paint(&self, colour: Colour, text: impl Display) -> String {
        if !self.colour {
            return text.to_string();
        }
        let code = match colour {
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Red => 31,
            Colour::Dim => 2,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// The first word in green where it is good; or else the second in red.
    pub fn judged(&self, is_good: bool, [good, bad]: [&str; 2]) -> String {
        if is_good {
            self.paint(Colour::Green, good)
        } else {
            self.paint(Colour::Red, bad)
        }
    }

    /// Writes a line of data.
    ///
    /// # Errors
    /// [`ClosedPipe`], or what kept it from being written.
    pub fn line(&self, text: impl Display) -> anyhow::Result<()> {
        match writeln!(io::stdout().lock(), "{text}") {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ClosedPipe.into()),
            Err(error) => Err(anyhow::Error::new(error).context("cannot write to stdout")),
        }
    }

    /// Writes one JSON value on one line.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(serde_json::to_string(value)?)
    }

    /// Writes a table, or nothing but its header if it is empty.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn table(&self, table: &Table) -> anyhow::Result<()> {
        if self.stdout_is_terminal {
            self.line(table.drawn(None, self.colour))
        } else {
            self.line(table.plain())
        }
    }

    /// Writes a list: one JSON object per line, or a table of the same.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn list<T: Serialize>(
        &self,
        items: &[T],
        table: impl FnOnce(&[T]) -> Table,
    ) -> anyhow::Result<()> {
        if self.json {
            items.iter().try_for_each(|item| self.json(item))
        } else {
            self.table(&table(items))
        }
    }

    /// Says something on stderr, unless quiet.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            talk(text);
        }
    }

    /// Warns on stderr, unless quiet.
    pub fn warn(&self, text: impl Display) {
        if !self.quiet {
            talk(format_args!("warning: {text}"));
        }
    }

    /// A bar on stderr towards a number of `things`; hidden where nobody watches.
    pub fn bar(&self, total: u64, things: &str) -> ProgressBar {
        let template = format!("{{bar:30}} {{pos}}/{{len}} {things}");
        self.progress(Some(total), &template)
    }

    /// A bar on stderr with a prefix behind it and a message of several lines below it; hidden where nobody watches.
    pub fn bar_over_lines(&self, total: u64) -> ProgressBar {
        self.progress(Some(total), "{bar:40} {elapsed:>4} {prefix}\n{msg}")
    }

    /// A line on stderr that shows a message; hidden where nobody watches.
    pub fn spinner(&self) -> ProgressBar {
        let spinner = self.progress(None, "{spinner} {elapsed} {msg}");
        spinner.enable_steady_tick(Duration::from_millis(200));
        spinner
    }

    fn progress(&self, total: Option<u64>, template: &str) -> ProgressBar {
        let target = if self.shows_progress() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(total, target).with_style(style)
    }
}

/// Writes a line to stderr; when nobody can read it, nobody needs to know.
pub(crate) fn talk(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
