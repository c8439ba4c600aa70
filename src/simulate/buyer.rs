//! One buyer: sends a cart, places the order, comes back when what it wants is only held by others.

mod requests;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::driver::{Asked, Driver};
use super::gauges::Gauges;
use super::measure::{Measured, Step, Tally, Timing, slot};
use super::plan::{Plan, Visit};
use super::returns::Board;
use super::told::{Answer, Told};
use crate::clock::SystemClock;
use crate::domain::{Cart, Reason};
use crate::ports::Clock;

/// The longest a buyer waits before it comes back, whatever it was told; jitter comes on top.
const PATIENCE_MAX: Duration = Duration::from_secs(1);

/// The shortest: a hold that runs out now is not settled now.
const PATIENCE_MIN: Duration = Duration::from_millis(20);

/// What all buyers of a run share.
#[derive(Debug)]
pub(super) struct Scene<D> {
    pub(super) plan: Arc<Plan>,
    pub(super) driver: D,
    pub(super) tally: Tally,
    pub(super) gauges: Arc<Gauges>,
    /// Where buyers wait for released units; none over HTTP, where nothing tells of them.
    pub(super) board: Option<Arc<Board>>,
}

/// One arrival.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Which visit of the plan.
    pub(super) number: u32,
    /// Whether the buyer was here before and left without the goods.
    pub(super) again: bool,
    /// Whether it is in no figure.
    pub(super) warm_up: bool,
    /// How much later than due it came.
    pub(super) late: Duration,
}

/// A buyer who has left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) number: u32,
    /// When the buyer comes again, if it does.
    pub(super) returns_after: Option<Duration>,
}

/// Buys, from arrival to leaving.
pub(super) async fn buy<D: Driver>(scene: Arc<Scene<D>>, arrival: Arrival) -> Left {
    let number = u64::from(arrival.number);
    let visit = if arrival.again {
        scene.plan.later_visit(number)
    } else {
        scene.plan.visit(number)
    };
    let mut buyer = Buyer {
        scene: &scene,
        number: arrival.number,
        warm_up: arrival.warm_up,
        late: arrival.late,
        visit,
    };
    let bought = match buyer.visit.traits.bot {
        Some(carts) => buyer.hammer(carts).await,
        None => buyer.shop().await,
    };
    buyer.note(|shard| shard.counts.finished += 1);
    let returns_after = buyer.visit.traits.returns_after.filter(|_| !bought);
    Left {
        number: arrival.number,
        returns_after,
    }
}

/// How one request to buy ended.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Sold.
    Bought,
    /// The order failed.
    Failed(Reason),
    /// The cart was refused at once.
    Refused {
        reason: Reason,
        /// When coming back may help, if that was said.
        retry_after: Option<Duration>,
    },
    /// Nothing final was said, or the buyer did not wait for it.
    Open,
}

/// A buyer at work.
struct Buyer<'a, D> {
    scene: &'a Arc<Scene<D>>,
    number: u32,
    warm_up: bool,
    late: Duration,
    visit: Visit,
}

impl<D: Driver> Buyer<'_, D> {
    /// Writes down what happened.
    fn note<R>(&self, write: impl FnOnce(&mut Measured) -> R) -> R {
        self.scene.tally.with(self.number, self.warm_up, write)
    }

    /// Sends the cart, and comes back as long as all is held by others; whether it was sold.
    async fn shop(&mut self) -> bool {
        let mut returns_left = self.scene.plan.come_back();
        loop {
            let end = self.attempt().await;
            let (End::Refused {
                reason: Reason::Held,
                ..
            }
            | End::Failed(Reason::Held)) = end
            else {
                return self.leave(end);
            };
            if returns_left == 0 {
                self.note(|shard| shard.counts.gave_up_held += 1);
                return self.leave(end);
            }
            returns_left -= 1;
            self.wait_to_return(end).await;
            self.note(|shard| shard.counts.returned += 1);
        }
    }

    /// Sends so many carts, one right after the other; whether any was sold.
    async fn hammer(&mut self, carts: u32) -> bool {
        let mut bought = false;
        for _ in 0..carts {
            let end = self.attempt().await;
            bought |= self.leave(end);
        }
        bought
    }

    /// Counts a refusal; one whose order failed counts there. Whether it was sold.
    fn leave(&self, end: End) -> bool {
        if let End::Refused { reason, .. } = end {
            self.note(|shard| shard.counts.refused[slot(reason)] += 1);
        }
        matches!(end, End::Bought)
    }

    async fn attempt(&mut self) -> End {
        // Nobody but the buyer decides when it tries again.
        let late = std::mem::take(&mut self.late);
        let asked_at = SystemClock.now();
        let asked = Instant::now();
        let answer = self.send().await;
        let answered = Instant::now();
        let since = |sent: Instant, now: Instant| Timing {
            took: now.saturating_duration_since(sent),
            late,
            now,
        };
        let (buyer, warm_up) = (self.number, self.warm_up);
        let told = |order_id, answer| Told {
            buyer,
            order_id,
            asked_at,
            answered_at: SystemClock.now(),
            answer,
            warm_up,
        };
        let adding = since(asked, answered);
        match answer {
            Asked::Accepted(id) => {
                self.note(|shard| shard.time(Step::AddToCart, adding));
                let mut open = Open {
                    scene: self.scene,
                    told: Some(told(id, Answer::Accepted)),
                };
                let (answer, contradiction) = self.place(id).await;
                let now = Instant::now();
                open.told = None;
                self.note(|shard| {
                    if !answer.is_open() {
                        shard.time(Step::PlaceOrder, since(answered, now));
                        shard.time(Step::EndToEnd, since(asked, now));
                    }
                    shard.tell(told(id, answer), units(&self.visit.cart), now);
                    if let Some(other) = contradiction {
                        shard.contradict(told(id, other));
                    }
                });
                match answer {
                    Answer::Placed => End::Bought,
                    Answer::Failed(reason) => End::Failed(reason),
                    _ => End::Open,
                }
            }
            Asked::Refused {
                order_id,
                reason,
                sku,
                retry_after,
            } => {
                self.note(|shard| {
                    shard.time(Step::AddToCart, adding);
                    shard.tell(told(order_id, Answer::Refused(reason)), 0, answered);
                    if let Some(sku) = sku
                        && self.scene.plan.invoice(self.number.into()).is_some()
                    {
                        shard.faults.push((order_id, sku));
                    }
                });
                End::Refused {
                    reason,
                    retry_after,
                }
            }
            Asked::InDoubt(id) => {
                self.note(|shard| shard.tell(told(id, Answer::InDoubt), 0, answered));
                End::Open
            }
        }
    }

    /// Waits until units are released, or as long as it was told to, but no longer than a second; half as long again
    /// at most, so that those who were refused together do not return together.
    async fn wait_to_return(&mut self, end: End) {
        let told = match end {
            End::Refused { retry_after, .. } => retry_after,
            _ => None,
        };
        let told = told
            .unwrap_or(PATIENCE_MAX)
            .clamp(PATIENCE_MIN, PATIENCE_MAX);
        let patience = told.mul_f64(1.0 + self.visit.rng.unit() / 2.0);
        match &self.scene.board {
            Some(board) => {
                board.wait(&self.visit.cart, patience).await;
            }
            None => tokio::time::sleep(patience).await,
        }
    }
}

fn units(cart: &Cart) -> u64 {
    let units: i64 = cart.lines().iter().map(|line| line.quantity.units()).sum();
    u64::try_from(units).unwrap_or(0)
}

/// An accepted order whose buyer was told nothing final yet: written down even if the run ends the buyer.
struct Open<'a, D> {
    scene: &'a Scene<D>,
    told: Option<Told>,
}

impl<D> Drop for Open<'_, D> {
    fn drop(&mut self) {
        if let Some(told) = self.told.take() {
            self.scene.tally.with(told.buyer, told.warm_up, |shard| {
                shard.tell(told, 0, Instant::now());
            });
        }
    }
}
