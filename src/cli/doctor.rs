//! `oms doctor`: is everything in working order, and if not, what to do.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::advice::advice;
use super::{Context, Table, counted, exit};
use crate::domain::Timestamp;
use crate::inventory::{Administration, Auditing, DeadLetterIndex, DeadLetterState, Inventory};
use crate::ports::Clock;
use crate::queue::{Position, Queue};
use crate::wiring::{self, Examined, OmsPorts};

/// Midnight of 2024-01-01, UTC: a clock that shows less was never set.
const CLOCK_LEAST: Timestamp = Timestamp::from_millis(1_704_067_200_000);

/// How long a cart may wait for its decision before something is wrong.
const UNDECIDED_MAX: Duration = Duration::from_secs(30);

/// How many dead letters one read asks for.
const PAGE: usize = 1_000;

/// Arguments of `oms doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Opens each store as every command does, tries to write to it, and reads how much waits in it.
Exit code 1 when something is wrong.

Examples:
  oms doctor
  oms doctor --json | jq 'select(.ok | not)'")]
pub struct Args {}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Looked {
    check: &'static str,
    ok: bool,
    detail: String,
    /// What to do about it.
    advice: Option<&'static str>,
    /// What works, and should be otherwise.
    warnings: Vec<String>,
}

/// Looks at everything, prints it, and exits with 1 if something is wrong.
///
/// # Errors
/// When the findings cannot be written.
pub async fn run(_args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let mut checks = vec![data_dir(context)];
    match wiring::examine(&context.config).await {
        Err(error) => checks.push(bad("stores", &error)),
        Ok(examined) => checks.extend(examined.into_iter().map(backend)),
    }
    if checks.iter().all(|check| check.ok) {
        match context.open().await {
            Err(error) => checks.push(bad("stores", error.as_ref())),
            Ok(ports) => contents(&ports, &mut checks).await,
        }
    }
    report(&checks, context)
}

fn good(check: &'static str, detail: impl Into<String>) -> Looked {
    Looked {
        check,
        ok: true,
        detail: detail.into(),
        advice: None,
        warnings: Vec::new(),
    }
}

fn bad(check: &'static str, error: &(dyn std::error::Error + 'static)) -> Looked {
    Looked {
        check,
        ok: false,
        detail: super::run::chain(error),
        advice: Some(advice(error).unwrap_or("see the cause above, then try again")),
        warnings: Vec::new(),
    }
}

fn data_dir(context: &Context) -> Looked {
    let folder = &context.config.data_dir;
    let shown = std::path::absolute(&**folder).unwrap_or_else(|_| folder.to_path_buf());
    let origin = &folder.origin;
    if folder.exists() && !folder.is_dir() {
        return Looked {
            check: "data directory",
            ok: false,
            detail: format!("{} is no folder ({origin})", shown.display()),
            advice: Some("choose another --data-dir"),
            warnings: Vec::new(),
        };
    }
    let missing = if folder.exists() {
        ""
    } else {
        "missing, and made when needed: "
    };
    good(
        "data directory",
        format!("{missing}{} ({origin})", shown.display()),
    )
}

fn backend(examined: Examined) -> Looked {
    let Examined {
        port,
        location,
        state,
    } = examined;
    let name = port.as_str();
    match state {
        Err(error) => {
            let mut check = bad(name, &error);
            check.detail = format!("{location}: {}", check.detail);
            check
        }
        Ok((words, warnings)) => Looked {
            warnings,
            ..good(name, format!("{location}: {words}"))
        },
    }
}

/// What waits in stores that can be opened.
async fn contents(ports: &OmsPorts, checks: &mut Vec<Looked>) {
    checks.push(match ports.inventory.store_id().await {
        Ok(id) => good("store id", id.to_string()),
        Err(error) => bad("store id", &error),
    });
    checks.push(
        match wiring::check_gateway(&ports.inventory, &ports.payments).await {
            Ok(Some(record)) => good("gateway", format!("{} is the store's", record.id)),
            Ok(None) => good(
                "gateway",
                "none on record; the first command that can charge records it",
            ),
            Err(error) => {
                let mut check = bad("gateway", &error);
                if wiring::is_mismatch(&error) {
                    check.advice =
                        Some("use the gateway on record, or `oms migrate --adopt-gateway`");
                }
                check
            }
        },
    );
    checks.push(match ports.inventory.items(None, 1).await {
        Ok(items) if items.is_empty() => {
            let mut check = good("catalogue", "empty");
            check.advice = Some("`oms seed --items` makes one");
            check
        }
        Ok(_) => good("catalogue", "has items"),
        Err(error) => bad("catalogue", &error),
    });
    checks.push(match ports.queue.backlog().await {
        Ok(0) => good("backlog", "no cart waits undecided"),
        Ok(backlog) => {
            let mut check = good("backlog", format!("{} undecided", counted(backlog, "cart")));
            check.advice = Some("`oms worker` decides them");
            check
        }
        Err(error) => bad("backlog", &error),
    });
    checks.push(oldest(ports).await);
    checks.push(dead_letters(ports).await);
    checks.push(clock(ports).await);
}

/// Whether carts are being decided: another process decides them, and only its log knows why it cannot.
async fn oldest(ports: &OmsPorts) -> Looked {
    let oldest = match ports.queue.oldest().await {
        Ok(Some(oldest)) => oldest,
        Ok(None) => return good("oldest cart", "none waits undecided"),
        Err(error) => return bad("oldest cart", &error),
    };
    let Position { partition, offset } = oldest.position;
    let waits = ports.clock.now().since(oldest.published_at);
    let ok = waits <= UNDECIDED_MAX;
    let waits = waits.as_secs();
    Looked {
        check: "oldest cart",
        ok,
        detail: format!("undecided for {waits} s, at partition {partition}, offset {offset}"),
        advice: (!ok).then_some(
            "if no worker runs, `oms worker` decides it; if one does, its log says why the batch fails",
        ),
        warnings: Vec::new(),
    }
}

async fn dead_letters(ports: &OmsPorts) -> Looked {
    let (mut after, mut pending) = (0, 0);
    loop {
        let rows = match ports.inventory.letters(after, PAGE).await {
            Ok(rows) => rows,
            Err(error) => return bad("dead letters", &error),
        };
        let Some(last) = rows.last() else {
            break;
        };
        after = last.id;
        let is_pending = |state| state == DeadLetterState::Pending;
        pending += rows.iter().filter(|row| is_pending(row.state)).count();
    }
    Looked {
        check: "dead letters",
        ok: pending == 0,
        detail: format!("{pending} pending"),
        advice: (pending > 0)
            .then_some("`oms dead-letters list --pending` shows them; replay or drop them"),
        warnings: Vec::new(),
    }
}

/// Whether the clock was ever set, and whether the database lives in the same time.
async fn clock(ports: &OmsPorts) -> Looked {
    let now = ports.clock.now();
    let database = match ports.inventory.stock(Vec::new(), false).await {
        Ok(answer) => answer.now,
        Err(error) => return bad("clock", &error),
    };
    let apart = database.since(now).max(now.since(database));
    let ok = now >= CLOCK_LEAST && apart.as_secs() < 5;
    Looked {
        check: "clock",
        ok,
        detail: format!("{now}; the database's is {} ms away", apart.as_millis()),
        advice: (!ok).then_some("set the clock, and keep it set (NTP)"),
        warnings: Vec::new(),
    }
}

fn report(checks: &[Looked], context: &Context) -> anyhow::Result<ExitCode> {
    let out = &context.out;
    out.list(checks, |checks| {
        let mut table = Table::new(&["check", "state", "~detail", "~what to do"]);
        for check in checks {
            table.row([
                check.check.to_owned(),
                match (check.ok, check.warnings.is_empty()) {
                    (false, _) => "wrong",
                    (true, false) => "warning",
                    (true, true) => "ok",
                }
                .to_owned(),
                check.detail.clone(),
                match check.advice {
                    Some(advice) => advice.to_owned(),
                    None => check.warnings.join("; "),
                },
            ]);
        }
        table
    })?;
    let wrong = checks.iter().filter(|check| !check.ok).count();
    if wrong == 0 {
        out.note("everything is in working order");
        return Ok(exit::DONE);
    }
    anyhow::bail!(
        "{} of {} found something wrong; the table says what to do",
        wrong,
        counted(checks.len(), "check")
    )
}
