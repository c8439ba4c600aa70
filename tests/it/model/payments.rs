//! A payment gateway that does what a script says.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use oms::domain::{Customer, GatewayId, Money, OrderId, Timestamp};
use oms::payments::{
    Attempt, Cancelled, CaptureCursor, Charge, ChargeRecord, Error, GatewayIdentity, Identity,
    LedgerEntry, LedgerQuery, Payments, Verdict,
};
use oms::ports::Clock;
use parking_lot::Mutex;
use tokio::task::yield_now;
use uuid::Uuid;

use super::{Gate, ManualClock};

/// What the gateway does with an attempt to charge a key that is not decided yet.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Takes the money and says so.
    Capture,
    /// Takes another amount than it was asked for.
    CaptureInstead(Money),
    /// Declines for good.
    Decline,
    /// Does nothing and answers with a time-out; the next attempt is a new one.
    TimeOut,
    /// Does nothing and never answers.
    Silence,
    /// Takes the money, and the answer is lost.
    CaptureUnheard,
    /// Says "pending" until it was asked so many times more, then takes the money.
    Pending { asks: u32 },
    /// The charge is under way until the gate opens, and then arrives, even if nobody waits for it any more.
    Late(Gate),
    /// Answers with a time-out at once; the charge arrives when the gate opens.
    LateUnheard(Gate),
    /// Cannot be reached this time.
    Away,
}

/// A call that reached the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Charge(OrderId),
    Lookup(OrderId),
    Cancel(OrderId),
    Refund(OrderId),
}

/// A gateway in memory. A clone is another connection to it.
#[derive(Debug, Clone)]
pub struct ModelPayments(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: ManualClock,
    ledger_id: Uuid,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: BTreeMap<OrderId, Key>,
    of_customers: HashMap<Customer, VecDeque<Outcome>>,
    otherwise: Option<Outcome>,
    away: bool,
    busy: Option<Duration>,
    calls: Vec<Call>,
    store: Option<Uuid>,
}

#[derive(Debug, Default)]
struct Key {
    captured: Option<Money>,
    captures: u64,
    refunded: Money,
    refunds: u64,
    declined: Option<&'static str>,
    /// How often it says "pending" before it takes the amount.
    pending: Option<(u32, Money)>,
    attempts: Vec<Attempt>,
    /// When it came to its present state.
    at: Timestamp,
}

impl Key {
    fn note(&mut self, at: Timestamp, outcome: &str) {
        let outcome = outcome.to_owned();
        self.attempts.push(Attempt { at, outcome });
    }

    fn capture(&mut self, at: Timestamp, amount: Money, how: &str) {
        self.captured = Some(amount);
        self.captures += 1;
        self.at = at;
        self.pending = None;
        self.note(at, how);
    }

    fn decline(&mut self, at: Timestamp, why: &'static str, how: &str) {
        self.declined = Some(why);
        self.at = at;
        self.pending = None;
        self.note(at, how);
    }

    /// What is known of the key; asking is what ends a pending charge.
    fn verdict(&mut self, now: Timestamp) -> Option<Verdict> {
        if let Some(amount) = self.captured {
            return Some(Verdict::Captured { amount });
        }
        if let Some(reason) = self.declined {
            let reason = reason.to_owned();
            return Some(Verdict::Declined { reason });
        }
        let (asks, amount) = self.pending?;
        if asks > 0 {
            self.pending = Some((asks - 1, amount));
            return Some(Verdict::Pending);
        }
        self.capture(now, amount, "captured");
        Some(Verdict::Captured { amount })
    }
}

impl ModelPayments {
    pub fn new(clock: ManualClock) -> Self {
        Self(Arc::new(Shared {
            clock,
            ledger_id: Uuid::new_v4(),
            state: Mutex::default(),
        }))
    }

    /// What happens to the next attempts of a customer to pay, one after another.
    pub fn script(&self, customer: &Customer, outcomes: impl IntoIterator<Item = Outcome>) {
        let mut state = self.0.state.lock();
        let script = state.of_customers.entry(customer.clone()).or_default();
        script.extend(outcomes);
    }

    /// What happens to every attempt that no script covers; at first, the money is taken.
    pub fn otherwise(&self, outcome: Outcome) {
        self.0.state.lock().otherwise = Some(outcome);
    }

    /// Whether nobody can reach it.
    pub fn set_away(&self, away: bool) {
        self.0.state.lock().away = away;
    }

    /// Whether it refuses everybody, and wants to be asked again after this time.
    pub fn set_busy(&self, busy: Option<Duration>) {
        self.0.state.lock().busy = busy;
    }

    /// Drops what the scripts had in store and answers everybody.
    pub fn behave(&self) {
        let mut state = self.0.state.lock();
        state.of_customers.clear();
        state.otherwise = None;
        state.away = false;
        state.busy = None;
        for key in state.keys.values_mut() {
            if let Some((asks, _)) = &mut key.pending {
                *asks = 0;
            }
        }
    }

    /// The calls that reached it so far.
    pub fn calls(&self) -> Vec<Call> {
        self.0.state.lock().calls.clone()
    }

    /// How often it got this call.
    pub fn count(&self, call: Call) -> usize {
        let state = self.0.state.lock();
        state.calls.iter().filter(|made| **made == call).count()
    }

    /// All keys that it knows.
    pub fn entries(&self) -> Vec<LedgerEntry> {
        let state = self.0.state.lock();
        let entry = |(id, key): (&OrderId, &Key)| LedgerEntry {
            order_id: *id,
            captured: key.captured.unwrap_or_default(),
            captures: key.captures,
            refunded: key.refunded,
            refunds: key.refunds,
            at: key.at,
        };
        state.keys.iter().map(entry).collect()
    }

    /// What it knows of one key.
    pub fn entry(&self, id: OrderId) -> Option<LedgerEntry> {
        let mut entries = self.entries().into_iter();
        entries.find(|entry| entry.order_id == id)
    }

    fn enter(&self, call: Call) -> Result<(), Error> {
        let mut state = self.0.state.lock();
        if state.away {
            return Err(Error::unavailable("reach the gateway"));
        }
        state.calls.push(call);
        match state.busy {
            Some(busy) => Err(Error::unavailable("reach the gateway").after(Some(busy))),
            None => Ok(()),
        }
    }

    fn verdict(&self, id: OrderId) -> Option<Verdict> {
        let now = self.0.clock.now();
        self.0.state.lock().keys.get_mut(&id)?.verdict(now)
    }

    fn next_outcome(&self, charge: &Charge) -> Outcome {
        let mut state = self.0.state.lock();
        let of_customer = state.of_customers.get_mut(&charge.customer);
        of_customer
            .and_then(VecDeque::pop_front)
            .or_else(|| state.otherwise.clone())
            .unwrap_or(Outcome::Capture)
    }

    /// The charge arrives: it is taken, unless the key is decided or fenced.
    fn arrive(&self, charge: &Charge, how: &str) -> Verdict {
        let now = self.0.clock.now();
        let mut state = self.0.state.lock();
        let key = state.keys.entry(charge.order_id).or_default();
        if let Some(verdict) = key.verdict(now) {
            return verdict;
        }
        key.capture(now, charge.amount, how);
        Verdict::Captured {
            amount: charge.amount,
        }
    }

    fn with_key(&self, id: OrderId, change: impl FnOnce(&mut Key, Timestamp)) {
        let now = self.0.clock.now();
        change(self.0.state.lock().keys.entry(id).or_default(), now);
    }

    fn arrive_late(&self, charge: Charge, gate: Gate) -> tokio::task::JoinHandle<Verdict> {
        let gateway = self.clone();
        tokio::spawn(async move {
            gate.pass().await;
            gateway.arrive(&charge, "captured")
        })
    }
}

impl Payments for ModelPayments {
    async fn charge(&self, charge: Charge) -> Result<Verdict, Error> {
        yield_now().await;
        let id = charge.order_id;
        self.enter(Call::Charge(id))?;
        if let Some(verdict) = self.verdict(id) {
            return Ok(verdict);
        }
        let unheard = || Error::outcome_unknown("charge: no answer in time");
        match self.next_outcome(&charge) {
            Outcome::Capture => Ok(self.arrive(&charge, "captured")),
            Outcome::CaptureInstead(amount) => {
                let other = Charge { amount, ..charge };
                Ok(self.arrive(&other, "captured"))
            }
            Outcome::Decline => {
                self.with_key(id, |key, now| key.decline(now, "declined", "declined"));
                let reason = "declined".to_owned();
                Ok(Verdict::Declined { reason })
            }
            Outcome::TimeOut => {
                self.with_key(id, |key, now| key.note(now, "timed out"));
                Err(unheard())
            }
            Outcome::Silence => std::future::pending().await,
            Outcome::CaptureUnheard => {
                self.arrive(&charge, "captured, answer lost");
                Err(unheard())
            }
            Outcome::Pending { asks } => {
                self.with_key(id, |key, _| key.pending = Some((asks, charge.amount)));
                Ok(Verdict::Pending)
            }
            Outcome::Late(gate) => Ok(self.arrive_late(charge, gate).await.unwrap()),
            Outcome::LateUnheard(gate) => {
                self.arrive_late(charge, gate);
                Err(unheard())
            }
            Outcome::Away => Err(Error::unavailable("reach the gateway")),
        }
    }

    async fn lookup(&self, id: OrderId) -> Result<Option<Verdict>, Error> {
        yield_now().await;
        self.enter(Call::Lookup(id))?;
        Ok(self.verdict(id))
    }

    async fn record(&self, id: OrderId) -> Result<Option<ChargeRecord>, Error> {
        yield_now().await;
        self.enter(Call::Lookup(id))?;
        let verdict = self.verdict(id);
        Ok(self.entry(id).map(|entry| ChargeRecord {
            verdict,
            refunded: Some(entry.refunded),
        }))
    }

    async fn cancel(&self, id: OrderId) -> Result<Cancelled, Error> {
        yield_now().await;
        self.enter(Call::Cancel(id))?;
        let now = self.0.clock.now();
        let mut state = self.0.state.lock();
        let key = state.keys.entry(id).or_default();
        if let Some(amount) = key.captured {
            return Ok(Cancelled::Captured { amount });
        }
        if key.declined.is_none() {
            key.decline(now, "cancelled", "fenced");
        }
        Ok(Cancelled::Fenced)
    }

    async fn refund(&self, id: OrderId, amount: Money) -> Result<(), Error> {
        yield_now().await;
        self.enter(Call::Refund(id))?;
        let now = self.0.clock.now();
        let mut state = self.0.state.lock();
        match state.keys.get_mut(&id) {
            Some(key) if key.captured.is_some() => {
                if key.refunds == 0 {
                    key.refunds = 1;
                    key.refunded = amount;
                    key.note(now, "refunded");
                }
                Ok(())
            }
            _ => Err(Error::permanent("refund what was never captured")),
        }
    }

    async fn attempts(&self, id: OrderId) -> Result<Vec<Attempt>, Error> {
        yield_now().await;
        let state = self.0.state.lock();
        let key = state.keys.get(&id);
        Ok(key.map_or_else(Vec::new, |key| key.attempts.clone()))
    }

    async fn ledger(&self, query: LedgerQuery) -> Result<Option<Vec<LedgerEntry>>, Error> {
        yield_now().await;
        let mut entries = self.entries();
        match query {
            LedgerQuery::After { key, limit } => {
                entries.retain(|entry| key.is_none_or(|key| entry.order_id > key));
                entries.truncate(limit);
            }
            LedgerQuery::Keys(keys) => entries.retain(|entry| keys.contains(&entry.order_id)),
            LedgerQuery::Captured { after, limit } => {
                entries.retain(|entry| entry.captures > 0 && CaptureCursor::from(entry) > after);
                entries.sort_by_key(|entry| CaptureCursor::from(entry));
                entries.truncate(limit);
            }
        }
        Ok(Some(entries))
    }
}

impl GatewayIdentity for ModelPayments {
    async fn identity(&self) -> Result<Identity, Error> {
        yield_now().await;
        Ok(Identity {
            id: GatewayId::simulated(self.0.ledger_id),
            location: format!("/ledgers/{}.db", self.0.ledger_id),
        })
    }

    async fn probe(&self) -> Result<(), Error> {
        yield_now().await;
        if self.0.state.lock().away {
            return Err(Error::unavailable("reach the gateway"));
        }
        Ok(())
    }

    async fn store(&self) -> Result<Option<Uuid>, Error> {
        yield_now().await;
        Ok(self.0.state.lock().store)
    }

    async fn bind_store(&self, store: Uuid) -> Result<Uuid, Error> {
        yield_now().await;
        Ok(*self.0.state.lock().store.get_or_insert(store))
    }
}
