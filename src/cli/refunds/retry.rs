//! `oms refunds retry`: executes refunds now.

use std::process::ExitCode;

use futures::StreamExt;
use serde::Serialize;

use super::PAGE;
use crate::cli::{Context, Table, counted, exit};
use crate::domain::{Money, OrderId};
use crate::flow::Flow;
use crate::inventory::{Administration, Inventory, Owed, Refund};
use crate::wiring::OmsPorts;

/// Refunds that the gateway is asked for at once.
const AT_ONCE: usize = 16;

/// Arguments of `oms refunds retry`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The gateway executes a refund once per order, however often it is asked. Exit code 1 when one fails.

Examples:
  oms refunds retry 01890a5d-ac96-774b-bcce-b302099a8057
  oms refunds retry --all --json")]
pub struct Args {
    /// The orders, by id
    #[arg(
        value_name = "ID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    ids: Vec<OrderId>,
    /// All that are due
    #[arg(long)]
    all: bool,
}

/// What became of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Executed,
    ExecutedBefore,
    NoRefund,
    Failed,
}

impl Outcome {
    const fn words(self) -> &'static str {
        match self {
            Self::Executed => "executed",
            Self::ExecutedBefore => "executed before",
            Self::NoRefund => "no refund is recorded",
            Self::Failed => "failed",
        }
    }

    const fn is_failure(self) -> bool {
        matches!(self, Self::NoRefund | Self::Failed)
    }
}

#[derive(Serialize)]
struct Retried {
    order_id: OrderId,
    amount: Option<Money>,
    outcome: Outcome,
    /// Why it failed.
    detail: Option<String>,
}

/// Executes the refunds and prints what became of each.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let flow = context.flow().await?;
    let mut report = Report {
        table: Table::new(&["order", ">amount", "outcome", "~detail"]),
        tried: 0,
        failed: 0,
        context,
    };
    if args.all {
        let mut after = None;
        loop {
            let page = flow.ports().inventory.refunds_due(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(Owed::from(last));
            let tried = futures::stream::iter(page).map(|refund| retry(&flow, refund));
            let mut tried = std::pin::pin!(tried.buffered(AT_ONCE));
            while let Some(retried) = tried.next().await {
                report.add(retried)?;
            }
        }
    } else {
        for id in args.ids {
            report.add(retry_order(&flow, id).await?)?;
        }
    }
    report.end()
}

async fn retry_order(flow: &Flow<OmsPorts>, order_id: OrderId) -> anyhow::Result<Retried> {
    let story = flow.ports().inventory.story(order_id).await?;
    let refund = story.and_then(|story| story.refund);
    let (amount, outcome) = match refund {
        Some(refund) if refund.executed_at.is_none() => return Ok(retry(flow, refund).await),
        Some(refund) => (Some(refund.amount), Outcome::ExecutedBefore),
        None => (None, Outcome::NoRefund),
    };
    Ok(Retried {
        order_id,
        amount,
        outcome,
        detail: None,
    })
}

async fn retry(flow: &Flow<OmsPorts>, refund: Refund) -> Retried {
    let result = flow.retry_refund(&refund).await;
    Retried {
        order_id: refund.order_id,
        amount: Some(refund.amount),
        outcome: match result {
            Ok(()) => Outcome::Executed,
            Err(_) => Outcome::Failed,
        },
        detail: result.err().map(|error| crate::cli::run::chain(&error)),
    }
}

/// What was tried so far.
struct Report<'a> {
    table: Table,
    tried: usize,
    failed: usize,
    context: &'a Context,
}

impl Report<'_> {
    fn add(&mut self, retried: Retried) -> anyhow::Result<()> {
        self.tried += 1;
        self.failed += usize::from(retried.outcome.is_failure());
        if self.context.out.is_json() {
            return self.context.out.json(&retried);
        }
        self.table.row([
            retried.order_id.to_string(),
            (retried.amount).map_or_else(|| "-".to_owned(), |amount| amount.to_string()),
            retried.outcome.words().to_owned(),
            retried.detail.unwrap_or_default(),
        ]);
        Ok(())
    }

    fn end(self) -> anyhow::Result<ExitCode> {
        if !self.context.out.is_json() {
            self.context.out.table(&self.table)?;
        }
        if self.failed > 0 {
            anyhow::bail!(
                "{} of {} failed; `oms worker` goes on trying those that are due",
                self.failed,
                counted(self.tried, "refund")
            );
        }
        Ok(exit::DONE)
    }
}
