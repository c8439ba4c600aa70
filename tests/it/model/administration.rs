//! The catalogue, corrections and dead letters in memory.

use oms::domain::{Order, OrderId, Sku};
use oms::inventory::{
    Adjusted, Adjustment, AdjustmentRow, Administration, DeadLetterIndex, DeadLetterRow,
    DeadLetterState, Error, Item, NewItem, OrderFilter, PutOutcome, Story, UnitsError, corrected,
};
use oms::ports::Clock;
use tokio::task::yield_now;

use super::ModelInventory;
use super::inventory::State;

impl ModelInventory {
    /// Corrects stock at once.
    pub fn correct(&self, adjustment: &Adjustment) -> Adjusted {
        let mut state = self.state();
        self.adjust_one(&mut state, adjustment)
    }

    /// Creates items, or changes their names and prices, at once.
    pub fn put(&self, items: &[NewItem]) -> Vec<PutOutcome> {
        let mut state = self.state();
        items
            .iter()
            .map(|item| self.put_one(&mut state, item))
            .collect()
    }

    fn put_one(&self, state: &mut State, item: &NewItem) -> PutOutcome {
        let Some(known) = state.items.get_mut(&item.sku) else {
            self.create(state, item);
            return PutOutcome::Created;
        };
        if known.name == item.name && known.price == item.price {
            return PutOutcome::Unchanged;
        }
        known.name.clone_from(&item.name);
        known.price = item.price;
        PutOutcome::Changed
    }

    fn adjust_one(&self, state: &mut State, adjustment: &Adjustment) -> Adjusted {
        let earlier = state.adjustments.iter().find(|row| row.id == adjustment.id);
        let same = earlier.map(|row| row.sku == adjustment.sku && row.by == adjustment.by);
        if same == Some(false) {
            return Adjusted::IdConflict;
        }
        let Some(item) = state.items.get_mut(&adjustment.sku) else {
            return Adjusted::UnknownSku;
        };
        if same == Some(true) {
            return Adjusted::Repeated(item.level.clone());
        }
        let Some(available) = corrected(item.level.available, adjustment.by) else {
            return Adjusted::OutOfRange;
        };
        item.level.available = available;
        item.level.version += 1;
        item.adjusted += adjustment.by;
        let level = item.level.clone();
        state.adjustments.push(AdjustmentRow {
            id: adjustment.id,
            sku: adjustment.sku.clone(),
            by: adjustment.by,
            reason: adjustment.reason.clone(),
            at: self.clock().now(),
            available_after: available,
        });
        self.note_available(&level);
        Adjusted::Applied(level)
    }
}

impl Administration for ModelInventory {
    async fn put_items(&self, items: Vec<NewItem>) -> Result<Vec<PutOutcome>, Error> {
        yield_now().await;
        Ok(self.put(&items))
    }

    async fn items(&self, after: Option<Sku>, limit: usize) -> Result<Vec<Item>, Error> {
        yield_now().await;
        let state = self.state();
        Ok(state
            .items
            .iter()
            .filter(|(sku, _)| after.as_ref().is_none_or(|after| *sku > after))
            .take(limit)
            .map(|(_, item)| Item {
                name: item.name.clone(),
                price: item.price,
                initial: item.initial,
                adjusted: item.adjusted,
                level: item.level.clone(),
            })
            .collect())
    }

    async fn adjust(&self, adjustments: Vec<Adjustment>) -> Result<Vec<Adjusted>, Error> {
        yield_now().await;
        if adjustments.iter().any(|adjustment| adjustment.by == 0) {
            return Err(Error::permanent("adjust items").because(UnitsError::Zero));
        }
        let mut state = self.state();
        Ok(adjustments
            .iter()
            .map(|adjustment| self.adjust_one(&mut state, adjustment))
            .collect())
    }

    async fn adjustments(&self, sku: Sku, limit: usize) -> Result<Vec<AdjustmentRow>, Error> {
        yield_now().await;
        let state = self.state();
        let of_item = state.adjustments.iter().rev().filter(|row| row.sku == sku);
        Ok(of_item.take(limit).cloned().collect())
    }

    async fn find_orders(&self, filter: OrderFilter) -> Result<Vec<Order>, Error> {
        yield_now().await;
        let state = self.state();
        Ok(state
            .orders
            .values()
            .filter(|order| filter.after.is_none_or(|after| order.order_id > after))
            .filter(|order| filter.state.is_none_or(|state| order.state == state))
            .filter(|order| filter.reason.is_none() || order.reason == filter.reason)
            .filter(|order| filter.customer.is_none() || order.customer == filter.customer)
            .take(filter.limit)
            .cloned()
            .collect())
    }

    async fn story(&self, id: OrderId) -> Result<Option<Story>, Error> {
        yield_now().await;
        let state = self.state();
        Ok(state.orders.get(&id).map(|order| Story {
            order: order.clone(),
            batch: order.batch.and_then(|batch| {
                let mut rows = state.batches.iter();
                rows.find(|row| row.id == batch.id).cloned()
            }),
            refund: state.refunds.get(&id).cloned(),
        }))
    }
}

impl DeadLetterIndex for ModelInventory {
    async fn record(&self, letters: Vec<DeadLetterRow>) -> Result<(), Error> {
        yield_now().await;
        let mut state = self.state();
        for letter in letters.into_iter().map(DeadLetterRow::with_bounded_detail) {
            let place = |row: &DeadLetterRow| (row.topic.clone(), row.partition, row.offset);
            if state.letters.iter().any(|row| place(row) == place(&letter)) {
                continue;
            }
            let id = state.letters.len() as u64 + 1;
            state.letters.push(DeadLetterRow { id, ..letter });
        }
        Ok(())
    }

    async fn letters(&self, after: u64, limit: usize) -> Result<Vec<DeadLetterRow>, Error> {
        yield_now().await;
        let state = self.state();
        let later = state.letters.iter().filter(|row| row.id > after);
        Ok(later.take(limit).cloned().collect())
    }

    async fn mark(&self, ids: Vec<u64>, to: DeadLetterState) -> Result<u64, Error> {
        yield_now().await;
        let mut state = self.state();
        let mut marked = 0;
        for row in &mut state.letters {
            if ids.contains(&row.id) && row.state == DeadLetterState::Pending {
                row.state = to;
                marked += 1;
            }
        }
        Ok(marked)
    }
}
