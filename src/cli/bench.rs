//! `oms bench`: reservation strategies side by side.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::context::advised;
use super::signals::{Interrupt, Stop};
use super::simulate::{command, items, positive, stock, zipf};
use super::{Context, Table, Usage, exit};
use crate::bench::{Amount, Bench, BenchResult, Plan, Strategy, Unsupported, chart};
use crate::config::parse_count;
use crate::domain::Quantity;
use crate::report::ChartFile;

/// Exponents, unless asked otherwise: from even popularity to a few items that nearly everybody wants.
const EXPONENTS: [f64; 4] = [0.0, 0.5, 1.0, 1.5];

/// Items, unless asked otherwise.
const SKUS: u32 = 1_000;

/// How long a measurement takes, unless asked otherwise.
const DURATION: Duration = Duration::from_secs(5);

/// Callers, unless asked otherwise.
const CONNECTIONS: usize = 128;
const IN_FLIGHT: usize = 10_000;

/// The most connections.
const CONNECTIONS_MAX: usize = 10_000;

/// The most callers of `batched`.
const IN_FLIGHT_MAX: usize = 1_000_000;

/// The most orders of a measurement.
const ORDERS_MAX: u64 = 1_000_000_000;

/// Arguments of `oms bench`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Strategies, on the same seeded orders of one line; a reserved order leaves a durable row:
  per-order           SELECT ... FOR UPDATE, check in the client, UPDATE, INSERT, COMMIT
  conditional-update  UPDATE ... WHERE available >= n, INSERT, COMMIT
  skip-locked         a row per unit, taken with FOR UPDATE SKIP LOCKED (MySQL, MariaDB)
  redis-lua           a Lua script decrements in Redis, then INSERT (MySQL or MariaDB, and Redis)
  batched             the inventory of oms behind its group commit
  reserve             the inventory of oms alone, batches of 8,000; latencies are per batch
The callers of the first four hold a connection each, --connections of them. Those of batched hold
none while they wait: --in-flight of them submit one order after the other. Latency is the time from
submission to committed decision. A strategy that the stores cannot do is left out.

The tables of the store are not touched: each measurement has a database oms_bench_<random> on its
server, or a folder of that name beside its file, and keys of that name in Redis, and removes them
also after Ctrl-C. What `kill -9` leaves behind has that name. The user needs the right to create
and drop such databases, and in Redis +eval +get +set +del +decrby +incrby +exists.

Exit code 3 when batched or reserve oversold or undersold.

Examples:
  oms bench
  oms bench --strategy per-order,batched --skus 1 --zipf 0 --duration 10s
  oms bench --stock 50 --skus 100 --orders 20000 --json
  oms bench --inventory-url mysql://oms:secret@db/oms --status-url redis://cache --report curve.html")]
pub struct Args {
    /// Strategies to measure, separated by commas [default: all that the stores can do]
    #[arg(
        long,
        value_name = "NAME,...",
        value_delimiter = ',',
        value_enum,
        hide_possible_values = true
    )]
    strategy: Vec<Strategy>,
    /// Zipf exponents of item popularity, separated by commas (0 = uniform) [default: 0,0.5,1,1.5]
    #[arg(long, value_name = "EXPONENT,...", value_delimiter = ',', value_parser = zipf)]
    zipf: Vec<f64>,
    /// Number of items [default: 1000]
    #[arg(long, value_name = "N", value_parser = items)]
    skus: Option<u32>,
    /// Units of each item [default: enough for every order]
    #[arg(long, value_name = "UNITS", value_parser = stock)]
    stock: Option<i64>,
    /// Units per order [default: 1]
    #[arg(long, value_name = "UNITS", value_parser = quantity)]
    quantity: Option<Quantity>,
    /// Random seed of the orders [default: 1]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Concurrent connections of the strategies without batches [default: 128]
    #[arg(long, value_name = "N", value_parser = connections)]
    connections: Option<usize>,
    /// Concurrent orders of `batched` [default: 10000]
    #[arg(long, value_name = "N", value_parser = in_flight)]
    in_flight: Option<usize>,
    /// Orders per strategy and exponent, instead of a time
    #[arg(long, value_name = "N", value_parser = orders, conflicts_with = "duration")]
    orders: Option<u64>,
    /// Time per strategy and exponent [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = positive)]
    duration: Option<Duration>,
    /// Write the curve of rates over exponents to a file: .html or .md
    #[arg(long, value_name = "FILE")]
    report: Option<ChartFile>,
}

fn count(text: &str, most: u64, things: &str) -> Result<u64, String> {
    match parse_count(text) {
        Ok(count) if (1..=most).contains(&count) => Ok(count),
        Ok(_) => Err(format!("1 to {most} {things} are allowed")),
        Err(error) => Err(error.to_string()),
    }
}

fn connections(text: &str) -> Result<usize, String> {
    let count = count(text, CONNECTIONS_MAX as u64, "connections")?;
    usize::try_from(count).map_err(|error| error.to_string())
}

fn in_flight(text: &str) -> Result<usize, String> {
    let count = count(text, IN_FLIGHT_MAX as u64, "orders in flight")?;
    usize::try_from(count).map_err(|error| error.to_string())
}

fn orders(text: &str) -> Result<u64, String> {
    count(text, ORDERS_MAX, "orders")
}

fn quantity(text: &str) -> Result<Quantity, String> {
    let units: i64 = text
        .parse()
        .map_err(|_| format!("`{text}` is not a whole number of units"))?;
    Quantity::new(units).map_err(|error| error.to_string())
}

impl Args {
    /// The plan on the configured stores. A strategy that was asked for must be possible; of all, those are left out
    /// that are not.
    fn plan(&self, context: &Context) -> anyhow::Result<Plan> {
        let config = &context.config;
        let mut plan = Plan {
            strategies: self.strategy.clone(),
            exponents: self.zipf.clone(),
            skus: self.skus.unwrap_or(SKUS),
            stock: self.stock,
            quantity: self.quantity.map_or_else(|| Quantity::new(1), Ok)?,
            seed: self.seed.unwrap_or(1),
            connections: self.connections.unwrap_or(CONNECTIONS),
            in_flight: self.in_flight.unwrap_or(IN_FLIGHT),
            batch_max: usize::try_from(*config.batch_max).unwrap_or(usize::MAX),
            amount: match self.orders {
                Some(orders) => Amount::Orders(orders),
                None => Amount::Duration(self.duration.unwrap_or(DURATION)),
            },
        };
        if plan.exponents.is_empty() {
            plan.exponents = EXPONENTS.to_vec();
        }
        plan.check().map_err(|error| Usage::because(&error))?;
        let check = |strategy: Strategy| -> Result<(), Unsupported> {
            strategy.check(&config.inventory.value, &config.statuses.value)?;
            plan.check_stock(strategy)
        };
        if plan.strategies.is_empty() {
            let mut possible = Vec::new();
            for strategy in Strategy::ALL {
                match check(strategy) {
                    Ok(()) => possible.push(strategy),
                    Err(why) => context.out.note(format_args!("left out: {why}")),
                }
            }
            plan.strategies = possible;
        } else {
            for strategy in &plan.strategies {
                check(*strategy).map_err(|why| Usage::because(&why))?;
            }
        }
        Ok(plan)
    }
}

/// Measures every strategy at every exponent, and prints the results.
///
/// # Errors
/// When a store cannot be used; a strategy of oms that sold wrongly is exit code 3, not an error.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let stop = Stop::on_signal().context("cannot listen for signals")?;
    let config = &context.config;
    let plan = args.plan(context)?;
    if let Some(file) = &args.report {
        file.check()?;
    }
    let measurements: Vec<(Strategy, f64)> = (plan.strategies.iter())
        .flat_map(|strategy| plan.exponents.iter().map(|exponent| (*strategy, *exponent)))
        .collect();
    let Some(bench) = Bench::new(plan, &config.inventory.value, &config.statuses.value) else {
        return Err(Usage::new(
            "oms bench needs the database itself; set --inventory-url to sqlite:PATH or mysql://user:password@host/database",
        )
        .into());
    };
    let failed = |error| advised("cannot compare strategies", error);
    for warning in bench.warnings().await.map_err(failed)? {
        context.out.warn(warning);
    }
    let place = bench.place();
    context
        .out
        .note(format_args!("measuring in {place}, removed at the end"));
    let mut results = Vec::with_capacity(measurements.len());
    let progress = context.out.spinner();
    for (number, (strategy, exponent)) in (1..).zip(&measurements) {
        progress.set_message(format!(
            "{} at exponent {exponent} ({number} of {})",
            strategy.name(),
            measurements.len()
        ));
        let interrupted = async { stop.clone().wait().await };
        match bench.measure(*strategy, *exponent, interrupted).await {
            Ok(Some(result)) => results.push(result),
            Ok(None) => break,
            Err(error) => {
                progress.finish_and_clear();
                // What was measured before is worth as much as ever.
                if !results.is_empty() {
                    print(&results, context)?;
                }
                return Err(failed(error));
            }
        }
    }
    progress.finish_and_clear();
    print(&results, context)?;
    if let Some(file) = &args.report {
        file.write(&chart(&results, command(config)))?;
    }
    Ok(match stop.interrupt() {
        _ if results.iter().any(BenchResult::breaks_invariant) => exit::invariant_broken(),
        interrupt => interrupt.map_or(exit::DONE, Interrupt::exit_code),
    })
}

fn print(results: &[BenchResult], context: &Context) -> anyhow::Result<()> {
    if context.out.is_json() {
        return context.out.json(&results);
    }
    let mut table = Table::new(&BenchResult::COLUMNS);
    for result in results {
        table.row(result.cells());
    }
    context.out.table(&table)
}
