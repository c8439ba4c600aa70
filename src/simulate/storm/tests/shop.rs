//! A shop in simulated time, for the tests of the storm.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::{Cart, OrderId, Reason, Sku};
use crate::inventory::StockLevel;
use crate::rng::Rng;
use crate::simulate::Board;
use crate::simulate::driver::{Asked, Driver, Said, Trouble};

/// A shop with one item that decides at once, declines some payments, and tells of released units.
pub(super) struct Shop {
    state: Mutex<Stock>,
    board: Arc<Board>,
    payment: Duration,
    declines: u64,
    trouble: Trouble,
}

struct Stock {
    available: i64,
    blocked: i64,
    version: u64,
    orders: u64,
    /// Orders accepted, and those that are settled.
    known: HashSet<OrderId>,
    settled: HashSet<OrderId>,
}

impl Shop {
    pub(super) fn new(units: i64, declines: u64, payment: Duration) -> (Self, Arc<Board>) {
        let board = Arc::new(Board::new(vec![Sku::synthetic(1)]));
        let state = Mutex::new(Stock {
            available: units,
            blocked: 0,
            version: 0,
            orders: 0,
            known: HashSet::new(),
            settled: HashSet::new(),
        });
        let shop = Self {
            state,
            board: Arc::clone(&board),
            payment,
            declines,
            trouble: Trouble::default(),
        };
        (shop, board)
    }

    /// Settles an order of one unit, once.
    fn settle(&self, id: OrderId, returned: i64) {
        if self.state.lock().settled.insert(id) {
            self.change(returned, -1);
        }
    }

    fn change(&self, available: i64, blocked: i64) {
        let mut stock = self.state.lock();
        stock.available += available;
        stock.blocked += blocked;
        stock.version += 1;
        self.board.learn(&StockLevel {
            sku: Sku::synthetic(1),
            available: stock.available,
            blocked: stock.blocked,
            sold: 0,
            version: stock.version,
            earliest_hold: None,
        });
    }
}

impl Driver for Shop {
    fn new_order_id(&self, rng: &mut Rng) -> OrderId {
        OrderId::v7(rng.bits() >> 20, &rng.bytes())
    }

    async fn add_to_cart(&self, cart: &Cart, key: Option<OrderId>, _: &mut Rng) -> Asked {
        let units = cart.lines()[0].quantity.units();
        let order_id = {
            let mut stock = self.state.lock();
            stock.orders += 1;
            let order_id = key.unwrap_or_else(|| OrderId::v7(stock.orders, &[0; 10]));
            if stock.known.contains(&order_id) {
                return Asked::Accepted(order_id);
            }
            if stock.available < units {
                let held = stock.available + stock.blocked >= units;
                let reason = if held { Reason::Held } else { Reason::SoldOut };
                return Asked::Refused {
                    order_id,
                    reason,
                    sku: None,
                    retry_after: None,
                };
            }
            stock.known.insert(order_id);
            order_id
        };
        self.change(-units, units);
        Asked::Accepted(order_id)
    }

    async fn place(&self, id: OrderId, _: &mut Rng) -> Said {
        tokio::time::sleep(self.payment).await;
        let mut draw = Rng::stream(
            1,
            u64::from_be_bytes(id.as_bytes()[..8].try_into().unwrap()),
        );
        if draw.between(1, 100) <= self.declines {
            self.settle(id, 1);
            return Said::Failed(Reason::Declined);
        }
        self.settle(id, 0);
        Said::Placed
    }

    fn trouble(&self) -> &Trouble {
        &self.trouble
    }
}
