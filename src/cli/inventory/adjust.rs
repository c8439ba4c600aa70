//! `oms inventory adjust`: a recorded correction of stock.

use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;
use uuid::Uuid;

use super::show::unknown;
use crate::catalogue::check_reason;
use crate::cli::{Context, Usage, counted, exit};
use crate::domain::Sku;
use crate::inventory::{Adjusted, Adjustment, Administration, STOCK_MAX, StockLevel, check_units};
use crate::ports::{Clock, Error, ErrorKind};
use crate::statuses::{CachedStock, Statuses};

/// How long the store may take before the id is named.
const SLOW_AFTER: Duration = Duration::from_secs(2);

/// Arguments of `oms inventory adjust`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The correction is recorded, also below what is blocked: orders settled on it then fail, and are
refunded. Every answer and every error names the correction's id: a retry with --id and this id
does not correct the stock twice.

Examples:
  oms inventory adjust SKU-00001 --by -5 --reason recount
  oms inventory adjust SKU-00001 --by 100 --reason delivery --id 6f1c8f0e-6d0b-4a6f-9d3c-2d1f3c9f7a11")]
pub struct Args {
    /// The item
    sku: Sku,
    /// By how many units, up or down
    #[arg(long, value_name = "UNITS", allow_hyphen_values = true)]
    by: i64,
    /// Why, in words
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The correction's id; a new one if left out
    #[arg(long, value_name = "UUID")]
    id: Option<Uuid>,
}

#[derive(Serialize)]
struct Shown {
    id: Uuid,
    by: i64,
    repeated: bool,
    #[serde(flatten)]
    level: StockLevel,
}

/// Corrects the stock.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let by = check_units(args.by).map_err(|error| Usage::new(format!("--by {error}")))?;
    let reason = check_reason(&args.reason)
        .map_err(|what| Usage::new(format!("--reason: {what}")))?
        .to_owned();
    let id = args.id.unwrap_or_else(Uuid::new_v4);
    let ports = context.open().await?;
    let adjustment = Adjustment {
        id,
        sku: args.sku.clone(),
        by,
        reason,
    };
    let began = ports.clock.now();
    let adjusting = ports.inventory.adjust(vec![adjustment]);
    let adjusted = name_if_slow(id, adjusting, context).await;
    let adjusted = adjusted.map_err(|error| in_doubt(id, error))?;
    let (level, repeated) = match adjusted.into_iter().next() {
        Some(Adjusted::Applied(level)) => (level, false),
        Some(Adjusted::Repeated(level)) => (level, true),
        Some(Adjusted::IdConflict) => {
            anyhow::bail!("id {id} was used for another correction; use a new one")
        }
        Some(Adjusted::OutOfRange) => anyhow::bail!(
            "the stock of {} would leave the range of ±{STOCK_MAX} units; nothing was changed",
            args.sku
        ),
        Some(Adjusted::UnknownSku) => return Err(unknown(&args.sku)),
        None => return Err(in_doubt(id, Error::outcome_unknown("correct the stock"))),
    };
    // The database has it; the cache only makes others see it sooner.
    let cached = CachedStock::all([level.clone()], began);
    if let Err(error) = ports.statuses.cache_stock(cached).await {
        tracing::warn!(error = %error.chain(), "the stock cache is behind");
    }
    report(
        &Shown {
            id,
            by: args.by,
            repeated,
            level,
        },
        context,
    )
}

/// Names the id when the answer is late: a user who interrupts the command needs it to repeat the correction.
async fn name_if_slow<T>(id: Uuid, answer: impl Future<Output = T>, context: &Context) -> T {
    let mut answer = pin!(answer);
    if let Ok(answer) = timeout(SLOW_AFTER, &mut answer).await {
        return answer;
    }
    context.out.note(format_args!(
        "no answer yet; to repeat this correction after an interruption, use --id {id}"
    ));
    answer.await
}

/// The error of a correction that was not made, or may have been.
fn in_doubt(id: Uuid, error: Error) -> anyhow::Error {
    let what = match error.kind() {
        ErrorKind::Unavailable => format!("correction {id} was not made; repeat with --id {id}"),
        ErrorKind::OutcomeUnknown => {
            format!("correction {id} may have been made; repeat with --id {id}")
        }
        ErrorKind::Permanent => format!("correction {id} was refused"),
    };
    anyhow::Error::new(error).context(what)
}

fn report(shown: &Shown, context: &Context) -> anyhow::Result<ExitCode> {
    if context.out.is_json() {
        context.out.json(shown)?;
        return Ok(exit::DONE);
    }
    let done = if shown.repeated {
        "was corrected before under this id"
    } else {
        "is corrected"
    };
    context.out.line(format_args!(
        "{} {done} by {:+}: {} available, {} blocked, {} sold (correction {})",
        shown.level.sku,
        shown.by,
        shown.level.available,
        shown.level.blocked,
        shown.level.sold,
        shown.id
    ))?;
    if shown.level.available < 0 {
        context.out.note(format_args!(
            "more is blocked than there is: orders fail until there is room for {} more",
            counted(-shown.level.available, "unit")
        ));
    }
    Ok(exit::DONE)
}
