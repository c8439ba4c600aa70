//! Who comes next: those who come for the first time, and those who come again. A buyer who is not here is no task, but
//! an entry of 24 bytes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter::Peekable;
use std::time::Duration;

use tokio::time::Instant;

use crate::simulate::buyer::Left;
use crate::simulate::{Arrivals, Plan};

/// Somebody who is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) at: Instant,
    /// Which visit of the plan.
    pub(super) number: u32,
    /// Whether the buyer was here before, and left without the goods.
    pub(super) again: bool,
}

/// Arrivals to come, in order.
pub(super) struct Agenda<'a> {
    plan: &'a Plan,
    began: Instant,
    fresh: Peekable<Box<dyn Iterator<Item = (u32, Duration)> + Send + 'a>>,
    returning: BinaryHeap<Reverse<Due>>,
    /// When the last one came, or users no longer come again.
    ends: Instant,
}

impl<'a> Agenda<'a> {
    pub(super) fn new(plan: &'a Plan, began: Instant) -> Self {
        let ends = match plan.pacing() {
            Arrivals::Again { duration, .. } => began + *duration,
            _ => began,
        };
        Self {
            plan,
            began,
            fresh: plan.due().peekable(),
            returning: BinaryHeap::new(),
            ends,
        }
    }

    /// When the next one is due.
    pub(super) fn peek(&mut self) -> Option<Instant> {
        let fresh = self.fresh.peek().map(|(_, arrival)| self.began + *arrival);
        let returning = self.returning.peek().map(|Reverse(due)| due.at);
        match (fresh, returning) {
            (Some(fresh), Some(returning)) => Some(fresh.min(returning)),
            (fresh, returning) => fresh.or(returning),
        }
    }

    /// The next one.
    pub(super) fn pop(&mut self) -> Option<Due> {
        let next = self.peek()?;
        self.ends = self.ends.max(next);
        if self
            .returning
            .peek()
            .is_some_and(|Reverse(due)| due.at <= next)
        {
            return self.returning.pop().map(|Reverse(due)| due);
        }
        let (number, _) = self.fresh.next()?;
        Some(Due {
            at: next,
            number,
            again: false,
        })
    }

    /// Whether all have been here for the first time.
    pub(super) fn only_returns(&mut self) -> bool {
        self.fresh.peek().is_none()
    }

    /// When the last arrival may be.
    pub(super) fn ends(&self) -> Instant {
        self.ends + self.plan.behaviour().return_max()
    }

    /// Notes whether and when a buyer who has left comes again.
    pub(super) fn left(&mut self, left: Left) {
        let now = Instant::now();
        if let Some(after) = left.returns_after {
            self.returning.push(Reverse(Due {
                at: now + after,
                number: left.number,
                again: true,
            }));
            return;
        }
        let Some(think) = self.plan.think(left.number.into()) else {
            return;
        };
        // Numbers of visits end some day, and with them the visits.
        let next = u64::from(left.number) + self.plan.users();
        let at = now + think;
        if at < self.ends
            && let Ok(number) = u32::try_from(next)
        {
            self.returning.push(Reverse(Due {
                at,
                number,
                again: false,
            }));
        }
    }
}
