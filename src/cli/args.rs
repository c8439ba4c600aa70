//! The arguments that all subcommands share, and the subcommands.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Args, Parser, Subcommand};

use super::{
    Context, audit, bench, completions, config, dead_letters, doctor, inventory, man, migrate,
    order, recover, refunds, report, seed, serve, simulate, statuses, token, worker,
};
use crate::config::{Flags, UrlText};
use crate::terminal::ColorChoice;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "oms",
    version,
    about = "Takes orders in a rush and never sells what is not there.",
    after_help = EXAMPLES,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What every subcommand takes.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  oms simulate --users 10000          a storm of buyers, then the audit
  oms seed --items 1000               a synthetic catalogue
  oms serve                           the HTTP API with a worker in it
  oms order create --line SKU-00001=2 --place
  oms order why <id>                  what happened to an order, and why

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 an invariant is broken, 4 a threshold missed,
5 slower than the baseline, 6 the run is invalid, 130 or 143 interrupted.";

/// What every subcommand takes, before or after its name.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Where the embedded stores are [default: ./oms-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The configuration file [default: oms.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where stock and orders are [default: sqlite:DIR/oms.db]
    #[arg(long, global = true, value_name = "URL")]
    pub inventory_url: Option<UrlText>,
    /// Where accepted carts queue [default: sqlite:DIR/oms.db]
    #[arg(long, global = true, value_name = "URL")]
    pub queue_url: Option<UrlText>,
    /// Where statuses are [default: sqlite:DIR/oms.db]
    #[arg(long, global = true, value_name = "URL")]
    pub status_url: Option<UrlText>,
    /// The payment gateway [default: simulated:]
    #[arg(long, global = true, value_name = "URL")]
    pub payment_url: Option<UrlText>,
    /// Print data as JSON; lists as one object per line
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "auto|always|never",
        value_enum,
        hide_possible_values = true,
        default_value = "auto"
    )]
    pub color: ColorChoice,
    /// Only data and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log more; repeat for more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

impl Globals {
    pub(super) fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            inventory_url: self.inventory_url.clone(),
            queue_url: self.queue_url.clone(),
            status_url: self.status_url.clone(),
            payment_url: self.payment_url.clone(),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fill the catalogue
    Seed(seed::Args),
    /// Decide queued carts until Ctrl-C
    Worker(worker::Args),
    /// Serve the HTTP API
    Serve(serve::Args),
    /// Let a storm of buyers loose, then audit
    Simulate(Box<simulate::Args>),
    /// Compare reservation strategies on the configured stores
    Bench(bench::Args),
    /// Make the outputs of a storm again, and one result of its shards
    #[command(subcommand)]
    Report(report::Verb),
    /// Look at orders, make them, place them, cancel them
    #[command(subcommand)]
    Order(order::Verb),
    /// Look at stock and correct it
    #[command(subcommand)]
    Inventory(inventory::Verb),
    /// Look at messages nobody could process, and deal with them
    #[command(subcommand)]
    DeadLetters(dead_letters::Verb),
    /// Mend what a failover of the database has lost
    Recover(recover::Args),
    /// Inspect and execute refunds that are due
    #[command(subcommand)]
    Refunds(refunds::Verb),
    /// Check every invariant; exit code 3 when one is broken
    Audit(audit::Args),
    /// Look after the status store
    #[command(subcommand)]
    Statuses(statuses::Verb),
    /// Make tokens for `oms serve`
    #[command(subcommand)]
    Token(token::Verb),
    /// Bring the schemas of all stores up to date
    Migrate(migrate::Args),
    /// Check that everything is in working order
    Doctor(doctor::Args),
    /// Show the effective configuration and where each value comes from
    Config(config::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Write manual pages
    Man(man::Args),
}

impl Command {
    /// Whether the command itself listens for Ctrl-C and SIGTERM.
    pub(super) fn stops_gracefully(&self) -> bool {
        matches!(
            self,
            Self::Worker(_) | Self::Serve(_) | Self::Simulate(_) | Self::Bench(_)
        )
    }

    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        match self {
            Self::Seed(args) => seed::run(args, context).await,
            Self::Worker(args) => worker::run(args, context).await,
            Self::Serve(args) => serve::run(args, context).await,
            Self::Simulate(args) => Box::pin(simulate::run(*args, context)).await,
            Self::Bench(args) => Box::pin(bench::run(args, context)).await,
            Self::Report(verb) => verb.run(context),
            Self::Order(verb) => verb.run(context).await,
            Self::Inventory(verb) => verb.run(context).await,
            Self::DeadLetters(verb) => verb.run(context).await,
            Self::Recover(args) => recover::run(args, context).await,
            Self::Refunds(verb) => verb.run(context).await,
            Self::Audit(args) => audit::run(args, context).await,
            Self::Statuses(verb) => verb.run(context).await,
            Self::Token(verb) => verb.run(&context.out),
            Self::Migrate(args) => migrate::run(args, context).await,
            Self::Doctor(args) => doctor::run(args, context).await,
            Self::Config(args) => config::run(&args, context),
            Self::Completions(args) => completions::run(&args, &context.out),
            Self::Man(args) => man::run(&args, &context.out),
        }
    }
}
