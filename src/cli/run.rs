//! Parse, run, exit code.

use std::error::Error as StdError;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use clap::error::ErrorKind;

use super::{Cli, ClosedPipe, Command, Context, Output, Usage, exit, logging, signals};
use crate::config::{Config, redact_line};
use crate::terminal::talk;

/// Runs the program with the arguments of this process.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    execute(cli).unwrap_or_else(|error| end(&error))
}

fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
    let out = Output::new(cli.globals.json, cli.globals.quiet, cli.globals.color);
    logging::start(&cli.globals);
    let config = match &cli.command {
        // These know nothing of stores, and help when the configuration is wrong.
        Command::Completions(args) => return super::completions::run(args, &out),
        Command::Man(args) => return super::man::run(args, &out),
        Command::Token(verb) => return verb.run(&out),
        _ => Config::load(&cli.globals.flags())?,
    };
    let context = Context { config, out };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(async {
        if cli.command.stops_gracefully() {
            return Box::pin(cli.command.run(&context)).await;
        }
        let interrupted = signals::interrupted().context("cannot listen for signals")?;
        tokio::select! {
            biased;
            result = cli.command.run(&context) => result,
            interrupt = interrupted => Ok(interrupt.exit_code()),
        }
    });
    // Whatever still runs is a read, or is abandoned as a crash would: nothing waits for it.
    runtime.shutdown_background();
    result
}

/// The one place where an error is printed: its whole chain, on one line.
fn end(error: &anyhow::Error) -> ExitCode {
    if error.is::<ClosedPipe>() {
        return exit::DONE;
    }
    talk(format_args!("error: {}", chain(error.as_ref())));
    if error.is::<Usage>() || error.is::<crate::config::Error>() {
        exit::usage()
    } else {
        exit::failed()
    }
}

/// The chain of an error on one line, without repetitions (some libraries repeat their source in their own
/// text) and passwords (nobody knows what a library repeats).
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut line = String::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        next = cause.source();
        let text = cause.to_string();
        if text.is_empty() || line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    redact_line(&line.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Prints what clap has to say: help and version as they are, errors on one line.
fn refuse(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // Nobody reads it: nobody needs to know.
            let _ = error.print();
        }
        _ => talk(usage_line(&error.to_string())),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// clap's error without its usage block: what is wrong, its tips, and where to read on.
fn usage_line(text: &str) -> String {
    let help = text.split_once("try '").map_or("--help", |(_, help)| {
        help.split('\'').next().unwrap_or("--help")
    });
    let parts: Vec<String> = text
        .split("\n\n")
        .map(|block| block.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|block| !block.is_empty())
        .take_while(|block| !block.starts_with("Usage:"))
        .filter(|block| !block.starts_with("For more information"))
        .collect();
    // It repeats what stood where something else should.
    let parts = redact_line(&parts.join("; "));
    format!("{parts}; try `{help}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_one_line_without_repetitions() {
        let source = std::io::Error::other("disk\nfull");
        let error = anyhow::Error::new(source)
            .context("write a page: disk\nfull")
            .context("cannot open the store");
        assert_eq!(
            chain(error.as_ref()),
            "cannot open the store: write a page: disk full"
        );
    }

    #[test]
    fn an_error_of_usage_is_one_line_with_its_tip() {
        let error = Cli::try_parse_from(["oms", "seeed"]).unwrap_err();
        let line = usage_line(&error.to_string());
        assert!(!line.contains('\n'), "{line}");
        assert!(
            line.starts_with("error: unrecognized subcommand 'seeed'; tip: "),
            "{line}"
        );
        assert!(line.ends_with("; try `--help`"), "{line}");
    }
}
