//! `oms man`: manual pages, made from the help texts.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory;

use super::{Cli, Output, exit};

/// Arguments of `oms man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  oms man man/man1 && man -l man/man1/oms-order-why.1")]
pub struct Args {
    /// The folder to write to; made if missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Writes one page per command, and says where each is.
///
/// # Errors
/// When one cannot be written.
pub fn run(args: &Args, out: &Output) -> anyhow::Result<ExitCode> {
    let shown = args.folder.display();
    fs::create_dir_all(&args.folder).with_context(|| format!("cannot make the folder {shown}"))?;
    let mut command = Cli::command();
    command.build();
    let mut pages = Vec::new();
    collect(&command, &mut pages);
    for page in &pages {
        let path = page
            .generate_to(&args.folder)
            .with_context(|| format!("cannot write a manual page to {shown}"))?;
        out.line(path.display())?;
    }
    Ok(exit::DONE)
}

fn collect(command: &clap::Command, pages: &mut Vec<clap_mangen::Man>) {
    let subcommands = command
        .get_subcommands()
        .filter(|subcommand| !subcommand.is_hide_set() && subcommand.get_name() != "help");
    for subcommand in subcommands {
        collect(subcommand, pages);
    }
    pages.push(clap_mangen::Man::new(command.clone()));
}
