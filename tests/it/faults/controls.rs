//! What goes wrong, when, and what was called.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use oms::domain::OrderId;
use oms::ports::Error;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::model::Gate;

/// A method of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    Reserve,
    Settle,
    Stock,
    Orders,
    Expired,
    RefundsDue,
    Refunded,
    Adjust,
    Audit,
    Cover,
    Record,
    Publish,
    Subscribe,
    Poll,
    Commit,
    DeadLetter,
    End,
    Consumed,
    Backlog,
    Get,
    Transition,
    Wait,
    History,
    CachedStock,
    CacheStock,
    Charge,
    Lookup,
    Cancel,
    Refund,
}

impl Op {
    /// Everything the status store does.
    pub const STATUSES: [Self; 6] = [
        Self::Get,
        Self::Transition,
        Self::Wait,
        Self::History,
        Self::CachedStock,
        Self::CacheStock,
    ];

    /// Everything the database does for the flow.
    pub const DATABASE: [Self; 8] = [
        Self::Reserve,
        Self::Settle,
        Self::Stock,
        Self::Orders,
        Self::Expired,
        Self::RefundsDue,
        Self::Refunded,
        Self::Record,
    ];

    /// Everything the gateway does.
    pub const GATEWAY: [Self; 4] = [Self::Charge, Self::Lookup, Self::Cancel, Self::Refund];

    /// Everything the log does.
    pub const LOG: [Self; 7] = [
        Self::Publish,
        Self::Poll,
        Self::Commit,
        Self::DeadLetter,
        Self::End,
        Self::Consumed,
        Self::Backlog,
    ];
}

/// What goes wrong with one call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing: lets one call through.
    None,
    /// It is not done, and says so.
    Unavailable,
    /// It is not done, and never will be.
    Permanent,
    /// It panics.
    Panic,
    /// It is not done, and nobody can tell.
    LostBefore,
    /// It is done, and nobody can tell.
    LostAfter,
    /// It begins this much later.
    DelayBefore(Duration),
    /// It begins when the gate opens.
    HoldBefore(Gate),
    /// It is done, and answers when the gate opens.
    HoldAfter(Gate),
    /// Messages come so many times: whole batches on the way out of the log, each one on the way in.
    Duplicate(usize),
    /// Status writes and cached stock are dropped, and said to be done.
    Forget,
}

/// The faults of one process. A clone controls the same process.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    plan: Mutex<Plan>,
    dead: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Plan {
    next: HashMap<Op, VecDeque<Fault>>,
    always: HashMap<Op, Fault>,
    poisoned: HashSet<OrderId>,
    no_space: bool,
    unreadable: HashSet<OrderId>,
    letter_bytes_max: Option<usize>,
    reserved_in_time: Option<usize>,
    calls: HashMap<Op, usize>,
}

impl Default for Faults {
    fn default() -> Self {
        Self(Arc::new(Inner {
            plan: Mutex::default(),
            dead: watch::Sender::new(false),
        }))
    }
}

impl Faults {
    /// What goes wrong with the next calls of a method, one after another.
    pub fn next(&self, op: Op, faults: impl IntoIterator<Item = Fault>) {
        let mut plan = self.0.plan.lock();
        plan.next.entry(op).or_default().extend(faults);
    }

    /// What goes wrong with every call of these methods that has no fault of its own.
    pub fn always(&self, ops: impl IntoIterator<Item = Op>, fault: &Fault) {
        let mut plan = self.0.plan.lock();
        for op in ops {
            plan.always.insert(op, fault.clone());
        }
    }

    /// The database refuses this order's cart for good.
    pub fn poison(&self, id: OrderId) {
        self.0.plan.lock().poisoned.insert(id);
    }

    /// The log has no space left, and knows it.
    pub fn no_space(&self) {
        self.0.plan.lock().no_space = true;
    }

    /// This order's row cannot be read: whatever looks at it fails for good.
    pub fn make_unreadable(&self, id: OrderId) {
        self.0.plan.lock().unreadable.insert(id);
    }

    /// Neither the database nor the log keeps messages of more bytes as dead letters.
    pub fn refuse_letters_over(&self, bytes: usize) {
        self.0.plan.lock().letter_bytes_max = Some(bytes);
    }

    /// Larger batches take longer than the time there is.
    pub fn time_out_over(&self, carts: Option<usize>) {
        self.0.plan.lock().reserved_in_time = carts;
    }

    /// Nothing goes wrong any more, except that the dead stay dead.
    pub fn clear(&self) {
        let mut plan = self.0.plan.lock();
        plan.next.clear();
        plan.always.clear();
        plan.poisoned.clear();
        plan.no_space = false;
        plan.unreadable.clear();
        plan.letter_bytes_max = None;
        plan.reserved_in_time = None;
    }

    /// Kills the process: no call of its begins any more, and none that is under way is ever answered.
    pub fn kill(&self) {
        self.0.dead.send_replace(true);
    }

    /// How often the process has called a method.
    pub fn calls(&self, op: Op) -> usize {
        self.0.plan.lock().calls.get(&op).copied().unwrap_or(0)
    }

    pub fn is_dead(&self) -> bool {
        *self.0.dead.borrow()
    }

    pub(super) fn has_no_space(&self) -> bool {
        self.0.plan.lock().no_space
    }

    pub(super) fn is_poisoned(&self, id: OrderId) -> bool {
        self.0.plan.lock().poisoned.contains(&id)
    }

    pub(super) fn is_unreadable(&self, id: OrderId) -> bool {
        self.0.plan.lock().unreadable.contains(&id)
    }

    pub(super) fn is_too_large(&self, payload: &[u8]) -> bool {
        let max = self.0.plan.lock().letter_bytes_max;
        max.is_some_and(|max| payload.len() > max)
    }

    pub(super) fn times_out(&self, carts: usize) -> bool {
        let max = self.0.plan.lock().reserved_in_time;
        max.is_some_and(|max| carts > max)
    }

    /// Counts a call and says what goes wrong with it.
    pub(super) fn take(&self, op: Op) -> Fault {
        let mut plan = self.0.plan.lock();
        *plan.calls.entry(op).or_default() += 1;
        let next = plan.next.get_mut(&op).and_then(VecDeque::pop_front);
        next.or_else(|| plan.always.get(&op).cloned())
            .unwrap_or(Fault::None)
    }

    /// Lets a call pass, with whatever goes wrong with it.
    pub(super) async fn pass<T>(
        &self,
        op: Op,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let fault = self.take(op);
        self.pass_with(fault, op, call).await
    }

    pub(super) async fn pass_with<T>(
        &self,
        fault: Fault,
        op: Op,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut dead = self.0.dead.subscribe();
        let alive = async {
            match &fault {
                Fault::Unavailable => return Err(Error::unavailable(format!("{op:?}"))),
                Fault::Permanent => return Err(Error::permanent(format!("{op:?}"))),
                Fault::Panic => panic!("{op:?} has a bug"),
                Fault::LostBefore => return Err(Error::outcome_unknown(format!("{op:?}"))),
                Fault::DelayBefore(delay) => sleep(*delay).await,
                Fault::HoldBefore(gate) => gate.pass().await,
                _ => {}
            }
            let result = call.await;
            match fault {
                Fault::LostAfter => result.and(Err(Error::outcome_unknown(format!("{op:?}")))),
                Fault::HoldAfter(gate) => {
                    gate.pass().await;
                    result
                }
                _ => result,
            }
        };
        tokio::select! {
            biased;
            // The guard that `wait_for` returns must not live across an await.
            () = async { let _ = dead.wait_for(|dead| *dead).await; } => std::future::pending().await,
            result = alive => result,
        }
    }
}
