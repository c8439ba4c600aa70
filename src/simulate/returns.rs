//! Buyers who were refused because all that was left was held by others, and who wait to come back.
//!
//! When units become available, only as many waiting buyers are woken as these units can serve, first come, first
//! served: a herd of thousands that returns for one unit would burn its returns and leave the next released unit
//! unsold. What counts is the `credit` of an item: units that became available and that nobody was woken for. A woken
//! buyer takes credit along; units that others buy meanwhile take it away, since credit never exceeds what is
//! available. A buyer whom nobody wakes goes when its patience ends.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::domain::{Cart, Sku};
use crate::inventory::StockLevel;

/// Where buyers wait, item by item.
#[derive(Debug)]
pub struct Board {
    index: HashMap<Sku, usize>,
    slots: Vec<Mutex<Slot>>,
}

/// Why a buyer comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// Units were released, and they are enough for this cart's line.
    ByStock,
    /// It had waited long enough.
    ByTime,
}

#[derive(Debug, Default)]
struct Slot {
    available: i64,
    version: u64,
    credit: i64,
    arrivals: u64,
    /// One queue per quantity, so that a buyer of two units does not stand in the way of one unit and a buyer of one.
    queues: Vec<Queue>,
}

#[derive(Debug)]
struct Queue {
    units: i64,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    arrival: u64,
    wake: oneshot::Sender<()>,
}

impl Board {
    /// A board for these items; others are waited for by time alone.
    pub fn new(skus: Vec<Sku>) -> Self {
        let slots = skus.iter().map(|_| Mutex::default()).collect();
        let index = skus
            .into_iter()
            .enumerate()
            .map(|(at, sku)| (sku, at))
            .collect();
        Self { index, slots }
    }

    /// Learns committed stock, and wakes whom it can serve.
    pub fn learn(&self, level: &StockLevel) {
        if let Some(slot) = self.slot(&level.sku) {
            slot.lock().learn(level.available, level.version);
        }
    }

    /// Waits until there may be enough for the cart, or until `patience` ends.
    pub async fn wait(&self, cart: &Cart, patience: Duration) -> Woken {
        match self.register(cart) {
            Place::Served => Woken::ByStock,
            Place::Waiting(woken) => match tokio::time::timeout(patience, woken).await {
                Ok(Ok(())) => Woken::ByStock,
                Ok(Err(_)) | Err(_) => Woken::ByTime,
            },
            Place::Unknown => {
                tokio::time::sleep(patience).await;
                Woken::ByTime
            }
        }
    }

    /// Takes the credit of every line, or queues at the first line that has none.
    fn register(&self, cart: &Cart) -> Place {
        let mut taken: Vec<(&Mutex<Slot>, i64)> = Vec::new();
        let mut place = Place::Served;
        for line in cart.lines() {
            let Some(slot) = self.slot(&line.sku) else {
                place = Place::Unknown;
                break;
            };
            let units = line.quantity.units();
            if let Some(woken) = slot.lock().take_or_wait(units) {
                place = Place::Waiting(woken);
                break;
            }
            taken.push((slot, units));
        }
        if !matches!(place, Place::Served) {
            for (slot, units) in taken {
                slot.lock().give_back(units);
            }
        }
        place
    }

    fn slot(&self, sku: &Sku) -> Option<&Mutex<Slot>> {
        self.index.get(sku).map(|&at| &self.slots[at])
    }
}

enum Place {
    Served,
    Waiting(oneshot::Receiver<()>),
    Unknown,
}

impl Slot {
    fn learn(&mut self, available: i64, version: u64) {
        // Levels of one process can overtake each other between commit and here.
        if version < self.version {
            return;
        }
        let released = (available - self.available).max(0);
        self.version = version;
        self.available = available;
        self.credit = (self.credit + released).min(available).max(0);
        self.wake();
    }

    fn take_or_wait(&mut self, units: i64) -> Option<oneshot::Receiver<()>> {
        if self.credit >= units {
            self.credit -= units;
            return None;
        }
        let (wake, woken) = oneshot::channel();
        let waiting = Waiting {
            arrival: self.arrivals,
            wake,
        };
        self.arrivals += 1;
        match self.queues.iter_mut().find(|queue| queue.units == units) {
            Some(queue) => {
                // Else those who have gone would gather behind an item that is never released.
                queue.first();
                queue.waiting.push_back(waiting);
            }
            None => self.queues.push(Queue {
                units,
                waiting: VecDeque::from([waiting]),
            }),
        }
        Some(woken)
    }

    fn give_back(&mut self, units: i64) {
        self.credit = (self.credit + units).min(self.available).max(0);
        self.wake();
    }

    /// Wakes the buyer who has waited longest among those whom the credit can serve, until there is none.
    fn wake(&mut self) {
        while self.credit > 0 {
            let credit = self.credit;
            let served = self
                .queues
                .iter_mut()
                .filter(|queue| queue.units <= credit)
                .filter_map(|queue| queue.first().map(|arrival| (arrival, queue)))
                .min_by_key(|(arrival, _)| *arrival);
            let Some((_, queue)) = served else { return };
            if let Some(waiting) = queue.waiting.pop_front()
                && waiting.wake.send(()).is_ok()
            {
                self.credit -= queue.units;
            }
        }
    }
}

impl Queue {
    /// When the first who still waits came; forgets those who have gone.
    fn first(&mut self) -> Option<u64> {
        while self
            .waiting
            .front()
            .is_some_and(|waiting| waiting.wake.is_closed())
        {
            self.waiting.pop_front();
        }
        self.waiting.front().map(|waiting| waiting.arrival)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::domain::{Customer, Line, Quantity};

    const LONG: Duration = Duration::from_secs(60);

    fn sku(name: &str) -> Sku {
        Sku::new(name).unwrap()
    }

    fn cart(lines: &[(&str, i64)]) -> Cart {
        let lines = lines
            .iter()
            .map(|(name, units)| Line {
                sku: sku(name),
                quantity: Quantity::new(*units).unwrap(),
            })
            .collect();
        Cart::new(Customer::new("c").unwrap(), lines).unwrap()
    }

    fn level(name: &str, available: i64, version: u64) -> StockLevel {
        StockLevel {
            sku: sku(name),
            available,
            blocked: 0,
            sold: 0,
            version,
            earliest_hold: None,
        }
    }

    fn board() -> Board {
        Board::new(vec![sku("A"), sku("B")])
    }

    #[tokio::test(start_paused = true)]
    async fn released_units_wake_only_as_many_as_they_can_serve_in_order_of_arrival() {
        let board = board();
        let one = cart(&[("A", 1)]);
        let mut waits: Vec<_> = (0..10).map(|_| Box::pin(board.wait(&one, LONG))).collect();
        for wait in &mut waits {
            assert_eq!(wait.now_or_never(), None);
        }
        board.learn(&level("A", 3, 1));
        let woken: Vec<bool> = waits
            .iter_mut()
            .map(|wait| wait.now_or_never().is_some())
            .collect();
        assert_eq!(
            woken,
            [
                true, true, true, false, false, false, false, false, false, false
            ]
        );
        // The same level again is no new release.
        board.learn(&level("A", 3, 2));
        assert!(
            waits[3..]
                .iter_mut()
                .all(|wait| wait.now_or_never().is_none())
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_buyer_of_two_does_not_stand_in_the_way_of_one_unit() {
        let board = board();
        let (two, one) = (cart(&[("A", 2)]), cart(&[("A", 1)]));
        let mut first = Box::pin(board.wait(&two, LONG));
        let mut second = Box::pin(board.wait(&one, LONG));
        assert_eq!((&mut first).now_or_never(), None);
        assert_eq!((&mut second).now_or_never(), None);
        board.learn(&level("A", 1, 1));
        assert_eq!((&mut second).now_or_never(), Some(Woken::ByStock));
        assert_eq!((&mut first).now_or_never(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn units_released_before_a_buyer_waits_are_not_missed() {
        let board = board();
        board.learn(&level("A", 1, 1));
        let one = cart(&[("A", 1)]);
        assert_eq!(board.wait(&one, LONG).now_or_never(), Some(Woken::ByStock));
        assert_eq!(
            board.wait(&one, LONG).now_or_never(),
            None,
            "one unit serves one buyer"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn units_that_others_bought_wake_nobody() {
        let board = board();
        board.learn(&level("A", 2, 1));
        board.learn(&level("A", 0, 2));
        assert_eq!(board.wait(&cart(&[("A", 1)]), LONG).now_or_never(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_buyer_who_left_takes_no_credit() {
        let board = board();
        let one = cart(&[("A", 1)]);
        assert_eq!(
            board.wait(&one, Duration::from_secs(1)).await,
            Woken::ByTime
        );
        let mut stays = Box::pin(board.wait(&one, LONG));
        assert_eq!((&mut stays).now_or_never(), None);
        board.learn(&level("A", 1, 1));
        assert_eq!((&mut stays).now_or_never(), Some(Woken::ByStock));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_left_do_not_gather_where_nothing_is_ever_released() {
        let board = board();
        let one = cart(&[("A", 1)]);
        for _ in 0..1_000 {
            board.wait(&one, Duration::from_millis(1)).await;
        }
        let waiting = board.slots[0].lock().queues[0].waiting.len();
        assert_eq!(waiting, 1, "the last one, who has left, too");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cart_waits_for_the_line_that_is_missing_and_keeps_no_credit_of_the_others() {
        let board = board();
        board.learn(&level("A", 1, 1));
        let both = cart(&[("A", 1), ("B", 1)]);
        let mut wait = Box::pin(board.wait(&both, LONG));
        assert_eq!((&mut wait).now_or_never(), None);
        assert_eq!(
            board.wait(&cart(&[("A", 1)]), LONG).now_or_never(),
            Some(Woken::ByStock)
        );
        board.learn(&level("B", 1, 1));
        assert_eq!(wait.now_or_never(), Some(Woken::ByStock));
    }

    #[tokio::test(start_paused = true)]
    async fn a_level_that_was_overtaken_counts_for_nothing() {
        let board = board();
        board.learn(&level("A", 0, 5));
        board.learn(&level("A", 9, 4));
        assert_eq!(board.wait(&cart(&[("A", 1)]), LONG).now_or_never(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_item_off_the_board_is_waited_for_by_time() {
        let start = tokio::time::Instant::now();
        let patience = Duration::from_millis(700);
        assert_eq!(
            board().wait(&cart(&[("C", 1)]), patience).await,
            Woken::ByTime
        );
        assert_eq!(start.elapsed(), patience);
    }
}
