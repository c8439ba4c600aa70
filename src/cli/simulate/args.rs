//! The arguments of `oms simulate`.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;

use super::crowd::Crowd;
use super::judging::Judging;
use super::load::Load;
use super::scenario::Scenario;
use crate::cli::Context;
use crate::config::{PaymentUrl, Sourced, parse_count, redact};
use crate::domain::parse_duration;
use crate::http_client::HttpUrl;
use crate::simulate::{Span, USERS_MAX};

/// The gateway of a storm, unless another one is configured.
const PAYMENT_URL: &str = "simulated:?success=0.95";

/// How many different items a cart has, unless asked otherwise.
const LINES: Span = Span::between(1, 3);

/// How many units a line has, unless asked otherwise.
const QUANTITY: Span = Span::between(1, 2);

/// Arguments of `oms simulate`. What is left out is filled in by the scenario, then by the methods.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "\
Each buyer has a cart of its own, drawn by popularity, and a seed of its own: the same --seed gives
the same buyers. It seeds an empty store; otherwise it takes SKU-00001 and so on as they are, adds
those that are missing, and with --stock tops them up. Exit code 3 when an invariant is broken, 6 when
more than 1 % of the arrivals at a rate were late or left out: then the figures say nothing.

Examples:
  oms simulate --users 10000
  oms simulate --rate 500 --ramp 5s --duration 30s
  oms simulate --users 200 --think 1s..3s --duration 30s
  oms simulate --scenario flash-sale --users 500
  oms simulate --list
  oms simulate --users 10000 --items 1 --stock 100 --lines 1 --quantity 1
  oms simulate --users 20000 --ramp 10s --payment-url 'simulated:?success=0.65&unknown=0.05'
  oms simulate --users 10000 --target http://127.0.0.1:8080
  oms simulate --trace 2011-11-29.csv --speed 600x --report-file day.json --report-file day.html
  oms simulate --threshold 'failed<10%' --threshold 'p99<50ms for place_order' --repeat 5
  oms simulate --stock 1000 --repeat 5 --save-baseline main
  oms simulate --stock 1000 --repeat 5 --baseline main --noise 5%")]
pub struct Args {
    /// How many buyers come [default: 1000]
    #[arg(long, value_name = "N", value_parser = users, conflicts_with = "trace")]
    pub users: Option<u64>,
    /// How many items are for sale, SKU-00001 and so on [default: 1000]
    #[arg(long, value_name = "N", value_parser = items, conflicts_with_all = ["trace", "target"])]
    pub items: Option<u32>,
    /// Top every item up to so many units [default: as they are; new items get 100]
    #[arg(long, value_name = "UNITS", value_parser = stock, conflicts_with = "target")]
    pub stock: Option<i64>,
    /// How uneven popularity is: 0 is even, 1 like words in a book [default: 1.0]
    #[arg(long, value_name = "EXPONENT", value_parser = zipf)]
    pub zipf: Option<f64>,
    /// How many different items a cart has: a number or a range [default: 1..3]
    #[arg(long, value_name = "N..M")]
    pub lines: Option<Span>,
    /// How many units of each: a number or a range [default: 1..2]
    #[arg(long, value_name = "N..M")]
    pub quantity: Option<Span>,
    /// How often a buyer comes back who was told that all is held [default: 3]
    #[arg(long, value_name = "TIMES")]
    pub come_back: Option<u32>,
    /// What buyers and carts are drawn from [default: 1]
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// How long placeOrder waits before it gives up [default: 3m]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait: Option<Duration>,
    /// How long items are held [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = positive)]
    pub hold: Option<Duration>,
    /// Storm this service over HTTP, instead of the flow in this process;
    /// https://…?tls-ca=PATH&token-file=PATH, too
    #[arg(long, value_name = "URL", value_parser = Target)]
    pub target: Option<HttpUrl>,
    /// Leave the queue to workers in other processes
    #[arg(long)]
    pub no_worker: bool,
    /// Replay the orders of a file in the Online Retail format
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// How much faster than life the trace is replayed [default: 600x]
    #[arg(long, value_name = "FACTOR", value_parser = speed, requires = "trace")]
    pub speed: Option<f64>,
    /// Run a scenario: one that is built in, or a file; flags come before what it says
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "trace")]
    pub scenario: Option<String>,
    /// List the scenarios that are built in
    #[arg(long)]
    pub list: bool,
    /// When buyers come.
    #[command(flatten)]
    pub load: Load,
    /// How they differ.
    #[command(flatten)]
    pub crowd: Crowd,
    /// The scenario's gateway.
    #[arg(skip)]
    pub scenario_payments: Option<PaymentUrl>,
    /// What the run has to keep to, with what it is compared, and where its report goes.
    #[command(flatten)]
    pub judging: Judging,
}

impl Args {
    /// These, and where they say nothing, what the scenario says.
    pub(super) fn over(self, scenario: Scenario) -> Self {
        let below = scenario.args;
        Self {
            users: self.users.or(below.users),
            items: self.items.or(below.items),
            stock: self.stock.or(below.stock),
            zipf: self.zipf.or(below.zipf),
            lines: self.lines.or(below.lines),
            quantity: self.quantity.or(below.quantity),
            come_back: self.come_back.or(below.come_back),
            seed: self.seed.or(below.seed),
            wait: self.wait.or(below.wait),
            hold: self.hold.or(below.hold),
            load: self.load.over(below.load),
            crowd: self.crowd.over(below.crowd),
            judging: self.judging.with(scenario.thresholds),
            scenario_payments: scenario.payment_url,
            ..self
        }
    }

    /// How many buyers come; at most so many where they come for a time.
    pub fn users(&self) -> u64 {
        self.load.users(self.users)
    }

    /// The exponent of popularity.
    pub fn zipf(&self) -> f64 {
        self.zipf.unwrap_or(1.0)
    }

    /// How many different items a cart has.
    pub fn lines(&self) -> Span {
        self.lines.unwrap_or(LINES)
    }

    /// How many units a line has.
    pub fn quantity(&self) -> Span {
        self.quantity.unwrap_or(QUANTITY)
    }

    /// How often a buyer comes back who was told that all is held.
    pub fn come_back(&self) -> u32 {
        self.come_back.unwrap_or(3)
    }

    /// What buyers and carts are drawn from.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }

    /// How much faster than life a trace is replayed.
    pub fn speed(&self) -> f64 {
        self.speed.unwrap_or(600.0)
    }

    /// How many items are for sale.
    pub fn items(&self) -> u32 {
        self.items.unwrap_or(1_000)
    }

    /// Whether this process works the queue.
    pub fn has_worker(&self) -> bool {
        !self.no_worker && self.target.is_none()
    }

    /// The configuration of the run: flags of this command come before all else.
    pub fn configure(&self, context: &Context) -> Context {
        let mut context = context.clone();
        if let Some(wait) = self.wait {
            context.config.wait = Sourced::by_flag("--wait", wait);
        }
        if let Some(hold) = self.hold {
            context.config.hold = Sourced::by_flag("--hold", hold);
        }
        if context.config.payments.is_default() {
            if let Some(url) = &self.scenario_payments {
                context.config.payments = Sourced::by_flag("--scenario", url.clone());
            } else if let Ok(url) = PaymentUrl::parse(PAYMENT_URL, std::path::Path::new(".")) {
                context.config.payments = Sourced::by_default(url);
            }
        }
        context
    }
}

/// Reads the URL of a service. Unlike clap's own errors, this one does not show a password that stands in it.
#[derive(Debug, Clone)]
struct Target;

impl TypedValueParser for Target {
    type Value = HttpUrl;

    fn parse_ref(
        &self,
        _command: &clap::Command,
        _arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<HttpUrl, clap::Error> {
        let text = value.to_string_lossy();
        HttpUrl::parse_target(&text).map_err(|why| {
            let shown = redact(&text);
            let message = format!("invalid value '{shown}' for '--target <URL>': {why}");
            clap::Error::raw(ErrorKind::ValueValidation, message)
        })
    }
}

fn users(text: &str) -> Result<u64, String> {
    match parse_count(text) {
        Ok(count @ 1..=USERS_MAX) => Ok(count),
        Ok(_) => Err(format!("1 to {USERS_MAX} buyers are allowed")),
        Err(error) => Err(error.to_string()),
    }
}

pub(in crate::cli) fn items(text: &str) -> Result<u32, String> {
    match parse_count(text) {
        Ok(count @ 1..=10_000_000) => u32::try_from(count).map_err(|error| error.to_string()),
        Ok(_) => Err("1 to 10000000 items are allowed".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

pub(in crate::cli) fn stock(text: &str) -> Result<i64, String> {
    let units = text
        .parse()
        .map_err(|_| format!("`{text}` is not a whole number of units"))?;
    crate::catalogue::check_stock(units)
}

pub(in crate::cli) fn zipf(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(exponent) if (0.0..=10.0).contains(&exponent) => Ok(exponent),
        _ => Err("a number from 0 to 10 is allowed".to_owned()),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

pub(in crate::cli) fn positive(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be longer than nothing".to_owned()),
        time => Ok(time),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.strip_suffix('x').map(str::parse::<f64>) {
        Some(Ok(factor)) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err(format!(
            "`{text}` is not a speed: write a factor such as 600x"
        )),
    }
}
