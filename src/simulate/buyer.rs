//! One buyer: sends a cart, places the order, comes back when what it wants is only held by others.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::driver::{Asked, Driver, Said};
use super::gauges::Gauges;
use super::measure::{Measured, Step, Tally, Timing, slot};
use super::plan::{Plan, Visit};
use super::returns::Board;
use super::told::{Answer, Told};
use crate::clock::SystemClock;
use crate::domain::{Cart, OrderId, Reason};
use crate::ports::Clock;

/// The longest a buyer waits before it comes back, whatever it was told; jitter comes on top.
const PATIENCE_MAX: Duration = Duration::from_secs(1);

/// The shortest: a hold that runs out now is not settled now.
const PATIENCE_MIN: Duration = Duration::from_millis(20);

/// The first and the longest pause between two `placeOrder` of an order whose payment is not known.
const REPEAT_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

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

impl<D> Scene<D> {
    /// Writes down what happened to a buyer.
    pub(super) fn note<R>(&self, buyer: u32, write: impl FnOnce(&mut Measured) -> R) -> R {
        self.tally.with(buyer, self.plan.warms_up(buyer), write)
    }
}

/// Buys, from arrival to leaving. The buyer came so much later than due.
pub(super) async fn buy<D: Driver>(
    scene: Arc<Scene<D>>,
    buyer: u32,
    mut visit: Visit,
    mut late: Duration,
) {
    let mut returns_left = scene.plan.come_back();
    loop {
        let end = attempt(&scene, buyer, &mut visit, late).await;
        let End::Held {
            at_once,
            retry_after,
        } = end
        else {
            break;
        };
        if returns_left == 0 {
            scene.note(buyer, |shard| {
                shard.counts.gave_up_held += 1;
                // One whose order failed counts there.
                shard.counts.refused[slot(Reason::Held)] += u64::from(at_once);
            });
            break;
        }
        returns_left -= 1;
        wait_to_return(&scene, &mut visit, retry_after).await;
        scene.note(buyer, |shard| shard.counts.returned += 1);
        // Nobody else decides when it comes back.
        late = Duration::ZERO;
    }
    scene.note(buyer, |shard| shard.counts.finished += 1);
}

/// How one request to buy ended.
enum End {
    /// The buyer leaves.
    Done,
    /// All that is left is held by others.
    Held {
        /// Refused at once, and not by the worker.
        at_once: bool,
        /// When it may be free again, if that was said.
        retry_after: Option<Duration>,
    },
}

async fn attempt<D: Driver>(
    scene: &Scene<D>,
    buyer: u32,
    visit: &mut Visit,
    late: Duration,
) -> End {
    let asked_at = SystemClock.now();
    let asked = Instant::now();
    let answer = scene.driver.add_to_cart(&visit.cart, &mut visit.rng).await;
    let answered = Instant::now();
    let since = |sent: Instant, now: Instant| Timing {
        took: now.saturating_duration_since(sent),
        late,
        now,
    };
    let adding = since(asked, answered);
    let mut open = Open { scene, told: None };
    let told = |order_id, answer| Told {
        buyer,
        order_id,
        asked_at,
        answered_at: SystemClock.now(),
        answer,
    };
    match answer {
        Asked::Accepted(id) => {
            open.told = Some(told(id, Answer::Accepted));
            let placing = Instant::now();
            let answer = place(scene, id, &mut visit.rng).await;
            let now = Instant::now();
            open.told = None;
            scene.note(buyer, |shard| {
                shard.time(Step::AddToCart, adding);
                if !answer.is_open() {
                    shard.time(Step::PlaceOrder, since(placing, now));
                    shard.time(Step::EndToEnd, since(asked, now));
                }
                shard.tell(told(id, answer), units(&visit.cart), now);
            });
            match answer {
                Answer::Failed(Reason::Held) => End::Held {
                    at_once: false,
                    retry_after: None,
                },
                _ => End::Done,
            }
        }
        Asked::Refused {
            order_id,
            reason,
            sku,
            retry_after,
        } => {
            let leaves = reason != Reason::Held;
            scene.note(buyer, |shard| {
                shard.time(Step::AddToCart, adding);
                shard.tell(told(order_id, Answer::Refused(reason)), 0, answered);
                if let Some(sku) = sku
                    && scene.plan.invoice(buyer.into()).is_some()
                {
                    shard.faults.push((order_id, sku));
                }
                shard.counts.refused[slot(reason)] += u64::from(leaves);
            });
            if leaves {
                End::Done
            } else {
                End::Held {
                    at_once: true,
                    retry_after,
                }
            }
        }
        Asked::InDoubt(id) => {
            scene.note(buyer, |shard| {
                shard.tell(told(id, Answer::InDoubt), 0, answered);
            });
            End::Done
        }
    }
}

/// Repeats `placeOrder` until it is final; the run ends it at its deadline.
async fn place<D: Driver>(scene: &Scene<D>, id: OrderId, rng: &mut crate::rng::Rng) -> Answer {
    let mut pause = REPEAT_PAUSE.0;
    loop {
        match scene.driver.place(id, rng).await {
            Said::Placed => return Answer::Placed,
            Said::Failed(reason) => return Answer::Failed(reason),
            Said::Forgotten => return Answer::Forgotten,
            Said::Silent => return Answer::Accepted,
            Said::Waiting => {}
        }
        tokio::time::sleep(rng.jitter(pause)).await;
        pause = (pause * 2).min(REPEAT_PAUSE.1);
    }
}

/// Waits until units are released, or as long as it was told to, but no longer than a second; half as long again at
/// most, so that those who were refused together do not return together.
async fn wait_to_return<D>(scene: &Scene<D>, visit: &mut Visit, retry_after: Option<Duration>) {
    let told = retry_after
        .unwrap_or(PATIENCE_MAX)
        .clamp(PATIENCE_MIN, PATIENCE_MAX);
    let patience = told.mul_f64(1.0 + visit.rng.unit() / 2.0);
    match &scene.board {
        Some(board) => {
            board.wait(&visit.cart, patience).await;
        }
        None => tokio::time::sleep(patience).await,
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
            self.scene
                .note(told.buyer, |shard| shard.tell(told, 0, Instant::now()));
        }
    }
}
