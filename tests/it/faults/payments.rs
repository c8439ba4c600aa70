//! The faulty gateway.

use oms::domain::{Money, OrderId};
use oms::payments::{
    Attempt, Cancelled, Charge, ChargeRecord, Error, LedgerEntry, LedgerQuery, Payments, Verdict,
};

use super::{Faulty, Op};

impl<T: Payments> Payments for Faulty<T> {
    async fn charge(&self, charge: Charge) -> Result<Verdict, Error> {
        let call = self.inner.charge(charge);
        self.faults.pass(Op::Charge, call).await
    }

    async fn lookup(&self, id: OrderId) -> Result<Option<Verdict>, Error> {
        self.faults.pass(Op::Lookup, self.inner.lookup(id)).await
    }

    async fn record(&self, id: OrderId) -> Result<Option<ChargeRecord>, Error> {
        self.faults.pass(Op::Lookup, self.inner.record(id)).await
    }

    async fn cancel(&self, id: OrderId) -> Result<Cancelled, Error> {
        self.faults.pass(Op::Cancel, self.inner.cancel(id)).await
    }

    async fn refund(&self, id: OrderId, amount: Money) -> Result<(), Error> {
        let call = self.inner.refund(id, amount);
        self.faults.pass(Op::Refund, call).await
    }

    async fn attempts(&self, id: OrderId) -> Result<Vec<Attempt>, Error> {
        self.inner.attempts(id).await
    }

    async fn ledger(&self, query: LedgerQuery) -> Result<Option<Vec<LedgerEntry>>, Error> {
        self.inner.ledger(query).await
    }
}
