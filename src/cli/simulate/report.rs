//! After the storm: waits for what is under way, audits, and tells of it.

use std::collections::HashSet;
use std::time::Duration;

use super::settings::settings;
use super::stage::Stage;
use super::{Args, again, figures, over_at};
use crate::audit;
use crate::cli::Context;
use crate::cli::signals::Stop;
use crate::domain::{OrderId, Reason, Timestamp};
use crate::flow::Flow;
use crate::inventory::{Administration, AuditRequest, Check, Finding};
use crate::report::{
    self, Example, Fairness, Invariants, OrderCounts, RunReport, RunSettings, TraceReport, Verdict,
};
use crate::simulate::{
    Aftermath, Answer, GRACE, Run, Told, invoice_outcomes, judge_fairness, peak_rss_bytes,
    wait_for_aftermath,
};
use crate::wiring::OmsPorts;

/// Failed orders that are looked at for one with a refund.
const REFUND_SOUGHT_MAX: usize = 200;

/// Waits for what is under way, audits, and puts together all there is to tell of a run that began at `started_at`.
pub(super) async fn assess(
    args: &Args,
    context: &Context,
    flow: &Flow<OmsPorts>,
    stage: &Stage,
    mut run: Run,
    started_at: Timestamp,
    stop: &Stop,
) -> anyhow::Result<RunReport> {
    let ports = flow.ports();
    let mut told = std::mem::take(&mut run.measured.told);
    let deadline = over_at(*context.config.hold);
    let aftermath = wait_for_aftermath(
        ports,
        &told,
        &mut run.measured.counts,
        deadline,
        &stop.requested(),
    )
    .await?;
    // Whoever is sent away too early has reason to complain of nothing but lies.
    run.interrupted |= stop.interrupt().is_some();
    let grace = if run.interrupted {
        GRACE
    } else {
        Duration::ZERO
    };
    let committed = audit::committed(ports, AuditRequest::incremental(grace)).await?;
    // A release counts as seen by everyone once its commit can have returned.
    let clients = audit::clients(ports, &stage.plan, &told, run.longest_answer).await?;
    let mut findings = committed.findings;
    findings.extend(but_queued(clients, &aftermath));
    let mut notes = committed.notes;
    notes.append(&mut run.notes);
    if run.interrupted {
        notes.extend(left_open(&aftermath));
    } else {
        findings.extend(stuck(&aftermath, &findings));
    }
    Ok(RunReport {
        command: again::command(&context.config),
        started_at: u64::try_from(started_at.millis()).unwrap_or(0),
        fairness: judge_fairness(ports, &stage.plan, &mut told).await?,
        examples: examples(ports, &told).await?,
        trace: trace(args, ports, stage, &told, &run).await?,
        notes,
        ..assemble(args, context, stage, &run, &aftermath, findings)
    })
}

/// What clients found, but for orders that the database does not know since they are in the queue.
fn but_queued(mut found: Vec<Finding>, aftermath: &Aftermath) -> Vec<Finding> {
    let queued: HashSet<String> = aftermath.queued.iter().map(ToString::to_string).collect();
    found.retain(|finding| finding.check != Check::Lost || !queued.contains(&finding.subject));
    found
}

/// Accepted orders that never became final, unless the audit of committed state has found them already.
fn stuck(aftermath: &Aftermath, found: &[Finding]) -> Vec<Finding> {
    let known: HashSet<&str> = found
        .iter()
        .map(|finding| finding.subject.as_str())
        .collect();
    let of = |ids: &[OrderId], detail: &str| {
        ids.iter()
            .map(ToString::to_string)
            .filter(|id| !known.contains(id.as_str()))
            .map(|subject| Finding {
                check: Check::Stuck,
                subject,
                detail: detail.to_owned(),
                count: 1,
            })
            .collect::<Vec<_>>()
    };
    let mut found = of(
        &aftermath.stuck,
        "accepted, and not final when the run was over",
    );
    found.extend(of(
        &aftermath.queued,
        "accepted, and no worker had decided it when the run was over",
    ));
    found
}

/// What an interrupted run leaves to others, if anything.
fn left_open(aftermath: &Aftermath) -> Option<String> {
    let open = aftermath.stuck.len() + aftermath.queued.len();
    (open > 0).then(|| {
        format!(
            "interrupted: {} not final yet; `oms worker` decides what is queued, and settles it when its hold ends",
            match open {
                1 => "1 accepted order was".to_owned(),
                _ => format!("{open} accepted orders were"),
            }
        )
    })
}

fn assemble(
    args: &Args,
    context: &Context,
    stage: &Stage,
    run: &Run,
    aftermath: &Aftermath,
    mut findings: Vec<Finding>,
) -> RunReport {
    let counts = &run.measured.counts;
    let elapsed_s = run.elapsed.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let per_second = |count: u64| {
        if elapsed_s > 0.0 {
            count as f64 / elapsed_s
        } else {
            0.0
        }
    };
    let invariants = Invariants::of(&findings);
    let findings_omitted = findings.len().saturating_sub(report::FINDINGS_MAX) as u64;
    findings.truncate(report::FINDINGS_MAX);
    RunReport {
        command: String::new(),
        started_at: 0,
        users: stage.plan.users_coming(),
        seed: args.seed(),
        plan_digest: stage.plan.digest(),
        elapsed_s,
        orders: OrderCounts {
            errors: run.errors.0,
            ..OrderCounts::from(counts)
        },
        units_sold: counts.units_sold,
        placed_per_s: per_second(counts.placed),
        decided_per_s: per_second(counts.placed + counts.failed_all()),
        latency_ms: (&run.measured.latencies).into(),
        service_ms: (&run.measured.service).into(),
        arrivals: figures::arrivals(&stage.plan, &run.punctuality),
        valid: run.punctuality.is_valid(),
        thresholds: Vec::new(),
        baseline: None,
        repeats: Vec::new(),
        histograms: figures::histograms(&run.measured),
        series: figures::series(&run.course, &stage.plan),
        fairness: Fairness::default(),
        verdict: if invariants.hold() {
            Verdict::Ok
        } else {
            Verdict::Broken
        },
        invariants,
        awaiting_gateway: aftermath.awaiting_gateway.len() as u64,
        refunds_due: aftermath.unrefunded,
        peak_rss_bytes: peak_rss_bytes(),
        processor_s: run.processor_time.as_secs_f64(),
        interrupted: run.interrupted,
        findings,
        findings_omitted,
        notes: Vec::new(),
        trace: None,
        examples: Vec::new(),
        settings: RunSettings {
            in_flight_max: run.in_flight_max as u64,
            arrival_lag_max_ms: figures::ms(run.punctuality.lag_max),
            ..settings(args, context, stage)
        },
    }
}

async fn trace(
    args: &Args,
    ports: &OmsPorts,
    stage: &Stage,
    told: &[Told],
    run: &Run,
) -> anyhow::Result<Option<TraceReport>> {
    let (Some(trace), Some(path)) = (&stage.trace, &args.trace) else {
        return Ok(None);
    };
    let invoices = invoice_outcomes(ports, &stage.plan, told, &run.measured.faults).await?;
    Ok(Some(TraceReport {
        file: path.display().to_string(),
        rows: trace.rows,
        order_lines: trace.order_lines,
        merged: trace.merged,
        skipped: trace
            .skipped
            .iter()
            .map(|(reason, count)| (reason.as_str().to_owned(), *count))
            .collect(),
        empty_invoices: trace.empty_invoices,
        invoices,
    }))
}

/// One order that was placed, one that failed, one that was refunded, where there are such.
async fn examples(ports: &OmsPorts, told: &[Told]) -> anyhow::Result<Vec<Example>> {
    let mut examples = Vec::new();
    if let Some(told) = told.iter().find(|told| told.answer == Answer::Placed) {
        examples.push(Example {
            outcome: "placed".to_owned(),
            order_id: told.order_id,
        });
    }
    let failed = || {
        told.iter().filter_map(|told| match told.answer {
            Answer::Failed(reason) => Some((told.order_id, reason)),
            _ => None,
        })
    };
    if let Some((order_id, reason)) = failed().next() {
        examples.push(Example {
            outcome: format!("failed: {reason}"),
            order_id,
        });
    }
    // Those that failed after a payment first.
    let after_payment = failed().filter(|(_, reason)| {
        !matches!(
            reason,
            Reason::SoldOut | Reason::Held | Reason::UnknownSku | Reason::Declined
        )
    });
    for (order_id, _) in after_payment.take(REFUND_SOUGHT_MAX) {
        let story = ports.inventory.story(order_id).await?;
        if story.is_some_and(|story| story.refund.is_some()) {
            examples.push(Example {
                outcome: "refunded".to_owned(),
                order_id,
            });
            break;
        }
    }
    Ok(examples)
}
