//! The faulty status store.

use oms::domain::{OrderId, Sku};
use oms::statuses::{
    CachedStock, Error, ScanCursor, ScanPage, ScanStatuses, StatusChange, StatusEntry, Statuses,
    Transition, Transitioned,
};
use tokio::time::Instant;

use super::{Fault, Faulty, Op};

impl<T: Statuses> Statuses for Faulty<T> {
    async fn get(&self, ids: Vec<OrderId>) -> Result<Vec<Option<StatusEntry>>, Error> {
        self.faults.pass(Op::Get, self.inner.get(ids)).await
    }

    async fn transition(&self, batch: Vec<Transition>) -> Result<Vec<Transitioned>, Error> {
        let fault = self.faults.take(Op::Transition);
        if matches!(fault, Fault::Forget) {
            return Ok(vec![Transitioned::Applied; batch.len()]);
        }
        let call = self.inner.transition(batch);
        self.faults.pass_with(fault, Op::Transition, call).await
    }

    async fn wait(
        &self,
        id: OrderId,
        above: u8,
        deadline: Instant,
    ) -> Result<Option<StatusEntry>, Error> {
        let call = self.inner.wait(id, above, deadline);
        self.faults.pass(Op::Wait, call).await
    }

    async fn history(&self, id: OrderId) -> Result<Vec<StatusChange>, Error> {
        self.faults.pass(Op::History, self.inner.history(id)).await
    }

    async fn cached_stock(&self, skus: Vec<Sku>) -> Result<Vec<Option<CachedStock>>, Error> {
        let call = self.inner.cached_stock(skus);
        self.faults.pass(Op::CachedStock, call).await
    }

    async fn cache_stock(&self, levels: Vec<CachedStock>) -> Result<(), Error> {
        let fault = self.faults.take(Op::CacheStock);
        if matches!(fault, Fault::Forget) {
            return Ok(());
        }
        let call = self.inner.cache_stock(levels);
        self.faults.pass_with(fault, Op::CacheStock, call).await
    }
}

impl<T: ScanStatuses> ScanStatuses for Faulty<T> {
    async fn scan(&self, cursor: Option<ScanCursor>, limit: usize) -> Result<ScanPage, Error> {
        self.inner.scan(cursor, limit).await
    }
}
