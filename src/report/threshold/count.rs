//! What can be counted in a run, by name, and of what it is a share.

use crate::report::RunReport;

/// Something that is counted, known by its name.
#[derive(Debug)]
pub(super) struct Count {
    pub(super) name: &'static str,
    pub(super) of: fn(&RunReport) -> u64,
    /// What 100 % are.
    pub(super) whole: Option<&'static Whole>,
}

impl PartialEq for Count {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What something is a share of.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) name: &'static str,
    pub(super) of: fn(&RunReport) -> u64,
}

pub(super) static ACCEPTED: Whole = Whole {
    name: "accepted order",
    of: |run| run.orders.accepted,
};
pub(super) static USERS: Whole = Whole {
    name: "buyer",
    of: |run| run.users,
};
static CARTS: Whole = Whole {
    name: "cart",
    of: |run| run.orders.attempts,
};
static ARRIVALS: Whole = Whole {
    name: "arrival",
    of: |run| run.arrivals.offered,
};

const fn share(name: &'static str, of: fn(&RunReport) -> u64, whole: &'static Whole) -> Count {
    Count {
        name,
        of,
        whole: Some(whole),
    }
}

const fn number(name: &'static str, of: fn(&RunReport) -> u64) -> Count {
    Count {
        name,
        of,
        whole: None,
    }
}

pub(super) static COUNTS: [Count; 17] = [
    number("users", |run| run.users),
    share("placed", |run| run.orders.placed, &ACCEPTED),
    share("failed", |run| run.orders.failed_all(), &ACCEPTED),
    share("refused", |run| run.orders.refused_all(), &USERS),
    share("accepted", |run| run.orders.accepted, &CARTS),
    number("attempts", |run| run.orders.attempts),
    share("returned", |run| run.orders.returned, &CARTS),
    share("gave_up_held", |run| run.orders.gave_up_held, &USERS),
    share("in_doubt", |run| run.orders.in_doubt, &CARTS),
    share("errors", |run| run.orders.errors, &CARTS),
    number("units_sold", |run| run.units_sold),
    share("awaiting_gateway", |run| run.awaiting_gateway, &ACCEPTED),
    share("late", |run| run.arrivals.late, &ARRIVALS),
    share("dropped", |run| run.arrivals.dropped, &ARRIVALS),
    share(
        "refused_sold_out",
        |run| run.fairness.refused_sold_out,
        &CARTS,
    ),
    share("refused_held", |run| run.fairness.refused_held, &CARTS),
    share(
        "refused_held_released",
        |run| run.fairness.refused_held_released,
        &CARTS,
    ),
];

/// Something that is no count: its name, and what it is.
pub(super) type Figure = (&'static str, fn(&RunReport) -> f64);

/// Orders per second.
pub(super) static RATES: [Figure; 2] = [
    ("placed_per_s", |run| run.placed_per_s),
    ("decided_per_s", |run| run.decided_per_s),
];

/// From 0 to 1.
pub(super) static SHARES: [Figure; 2] = [
    ("inversion_share", |run| run.fairness.inversion_share),
    ("top_percent_share", |run| run.fairness.top_percent_share),
];

/// Numbers.
pub(super) static NUMBERS: [Figure; 4] = [
    ("idle_unit_seconds", |run| run.fairness.idle_unit_seconds),
    ("elapsed_s", |run| run.elapsed_s),
    #[expect(clippy::cast_precision_loss, reason = "no memory has 2^53 bytes")]
    ("peak_rss_bytes", |run| run.peak_rss_bytes as f64),
    ("processor_s", |run| run.processor_s),
];
