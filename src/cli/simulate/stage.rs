//! What stands before the first buyer comes: the catalogue, the plan, the way to the service.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use uuid::Uuid;

use super::Args;
use crate::catalogue::{self, File, Trace};
use crate::cli::{Context, Usage, counted};
use crate::domain::{LINES_MAX, Sku};
use crate::flow::Flow;
use crate::http_client::Client;
use crate::inventory::Auditing;
use crate::simulate::target;
use crate::simulate::{Drawn, Plan, Popularity, Seeded, Shard, seeding};
use crate::wiring::OmsPorts;

/// Everything is ready.
pub(super) struct Stage {
    pub(super) plan: Arc<Plan>,
    pub(super) store_id: Uuid,
    pub(super) items: u64,
    pub(super) seeded: Option<Seeded>,
    pub(super) trace: Option<Trace>,
    pub(super) client: Option<Arc<Client>>,
}

impl Stage {
    pub(super) async fn set(
        args: &Args,
        context: &Context,
        flow: &Flow<OmsPorts>,
    ) -> anyhow::Result<Self> {
        let trace = args.trace.as_deref().map(read_trace).transpose()?;
        let store_id = flow.ports().inventory.store_id().await?;
        let client = match &args.target {
            Some(url) => Some(Arc::new(target::connect(url, args.load.in_flight()).await?)),
            None => None,
        };
        if let Some(client) = &client {
            target::wait_until_ready(client).await?;
            target::check_store(client, store_id).await?;
        }
        let (skus, seeded) = match (&client, &trace) {
            (Some(client), _) => (target::catalogue(client).await?, None),
            (None, Some(trace)) => {
                let items = trace.items(args.stock.unwrap_or(seeding::STOCK));
                let skus = items.iter().map(|item| item.sku.clone()).collect();
                (
                    skus,
                    Some(seeding::complete(flow.ports(), items, args.stock).await?),
                )
            }
            (None, None) => {
                let (skus, seeded) =
                    seeding::synthetic(flow.ports(), args.items(), args.stock, args.seed()).await?;
                (skus, Some(seeded))
            }
        };
        if let Some(seeded) = &seeded {
            tell(seeded, context);
        }
        let items = skus.len() as u64;
        let shard = args.judging.shard.unwrap_or(Shard::WHOLE);
        let plan = Arc::new(plan(args, trace.as_ref(), skus)?.shard(shard));
        Ok(Self {
            plan,
            store_id,
            items,
            seeded,
            trace,
            client,
        })
    }
}

fn read_trace(path: &Path) -> anyhow::Result<Trace> {
    match catalogue::read(path).context("cannot replay a trace")? {
        File::OnlineRetail(trace) if trace.invoices.is_empty() => Err(Usage::new(format!(
            "{} has no order in it: all of its {} were skipped",
            path.display(),
            counted(trace.rows, "row")
        ))
        .into()),
        File::OnlineRetail(trace) => Ok(trace),
        File::Own(_) => Err(Usage::new(format!(
            "{} is a catalogue, not orders; `oms seed --items` takes it",
            path.display()
        ))
        .into()),
    }
}

fn plan(args: &Args, trace: Option<&Trace>, items: Vec<Sku>) -> anyhow::Result<Plan> {
    let plan = match trace {
        Some(trace) => {
            let invoices = trace.invoices.clone().into();
            Plan::invoices(args.seed(), args.come_back(), invoices, args.speed())
        }
        None => {
            let drawn = drawn(args, items)?;
            Plan::drawn(args.seed(), args.come_back(), drawn).arriving(args.load.arrivals()?)
        }
    };
    Ok(plan
        .behaving(args.crowd.behaviour())
        .restocking(args.crowd.restock.clone())
        .warming_up(args.load.warmup.unwrap_or_default()))
}

fn drawn(args: &Args, items: Vec<Sku>) -> anyhow::Result<Drawn> {
    if items.is_empty() {
        anyhow::bail!("the service has nothing for sale; `oms seed --items` fills its catalogue");
    }
    let bulk = args.crowd.bulk.map(|bulk| bulk.how);
    for (flag, lines) in [("--lines", Some(args.lines())), ("--bulk", bulk)] {
        let Some(lines) = lines else { continue };
        if u64::from(lines.low()) > items.len() as u64 {
            return Err(Usage::new(format!(
                "{flag} asks for at least {} different items, and there are {}",
                lines.low(),
                items.len()
            ))
            .into());
        }
        if lines.high() as usize > LINES_MAX {
            let message = format!("{flag}: a cart has at most {LINES_MAX} lines");
            return Err(Usage::new(message).into());
        }
    }
    Ok(Drawn {
        users: args.users(),
        popularity: Popularity::zipf(items.len(), args.zipf()),
        items: items.into(),
        lines: args.lines(),
        quantity: args.quantity(),
        ramp: args.load.ramp(),
    })
}

fn tell(seeded: &Seeded, context: &Context) {
    if seeded.was_empty {
        context.out.note(format_args!(
            "seeded an empty store with {}",
            counted(seeded.created, "item")
        ));
    } else if seeded.created > 0 {
        context.out.note(format_args!(
            "added {} that {} missing",
            counted(seeded.created, "item"),
            if seeded.created == 1 { "was" } else { "were" }
        ));
    }
    if seeded.topped_up > 0 {
        context.out.note(format_args!(
            "topped up {}",
            counted(seeded.topped_up, "item")
        ));
    }
    if seeded.had_more > 0 {
        context.out.warn(format_args!(
            "{} had more units than --stock asks for, and kept them: the storm is milder than on an empty store",
            counted(seeded.had_more, "item")
        ));
    }
    if seeded.sold_out {
        context
            .out
            .warn("everything is sold out; --stock tops it up");
    }
}
