use parking_lot::Mutex;

use super::super::driver::{Asked, Said, Trouble};
use super::super::measure::slot;
use super::super::{Drawn, Popularity, Span};
use super::*;
use crate::domain::{Cart, OrderId, Reason, Sku};
use crate::inventory::StockLevel;
use crate::rng::Rng;

/// A shop with one item that decides at once, declines some payments, and tells of released units.
struct Shop {
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
}

impl Shop {
    fn new(units: i64, declines: u64, payment: Duration) -> (Self, Arc<Board>) {
        let board = Arc::new(Board::new(vec![Sku::synthetic(1)]));
        let state = Mutex::new(Stock {
            available: units,
            blocked: 0,
            version: 0,
            orders: 0,
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
    async fn add_to_cart(&self, cart: &Cart, _: &mut Rng) -> Asked {
        let units = cart.lines()[0].quantity.units();
        let order_id = {
            let mut stock = self.state.lock();
            stock.orders += 1;
            let order_id = OrderId::v7(stock.orders, &[0; 10]);
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
            self.change(1, -1);
            return Said::Failed(Reason::Declined);
        }
        self.change(0, -1);
        Said::Placed
    }

    fn trouble(&self) -> &Trouble {
        &self.trouble
    }
}

fn plan(users: u64, come_back: u32, ramp: Duration) -> Arc<Plan> {
    let one = Span::new(1, 1).unwrap();
    let items: Arc<[Sku]> = [Sku::synthetic(1)].into();
    let drawn = Drawn {
        users,
        items,
        popularity: Popularity::zipf(1, 1.0),
        lines: one,
        quantity: one,
        ramp,
    };
    Arc::new(Plan::drawn(7, come_back, drawn))
}

async fn run(users: u64, come_back: u32, shop: (Shop, Arc<Board>)) -> Run {
    let (_stop, stop) = watch::channel(false);
    let plan = plan(users, come_back, Duration::ZERO);
    Storm::new(
        plan,
        shop.0,
        Some(shop.1),
        Arc::default(),
        Duration::from_secs(5),
    )
    .run(stop)
    .await
}

#[tokio::test(start_paused = true)]
async fn a_hundred_units_are_all_sold_although_a_third_of_the_payments_is_declined() {
    let run = run(10_000, 3, Shop::new(100, 35, Duration::from_millis(200))).await;
    let counts = &run.measured.counts;
    assert_eq!(counts.placed, 100);
    assert_eq!(
        (counts.arrived, counts.finished, counts.open),
        (10_000, 10_000, 0)
    );
    assert!(counts.failed[slot(Reason::Declined)] > 20, "{counts:?}");
    assert_eq!(counts.accepted, counts.placed + counts.failed_all());
    let left = counts.refused_all() + counts.placed + counts.failed[slot(Reason::Declined)];
    assert_eq!(
        left, 10_000,
        "everyone was sold something, was declined, or was refused"
    );
}

#[tokio::test(start_paused = true)]
async fn buyers_who_never_come_back_leave_at_the_first_refusal() {
    let run = run(500, 0, Shop::new(100, 0, Duration::from_millis(200))).await;
    let counts = run.measured.counts;
    assert_eq!(
        (counts.placed, counts.gave_up_held, counts.returned),
        (100, 400, 0)
    );
    assert_eq!(counts.refused[slot(Reason::Held)], 400);
    assert_eq!(counts.attempts, 500);
}

#[tokio::test(start_paused = true)]
async fn more_buyers_than_fit_arrive_when_others_have_left() {
    let users = IN_FLIGHT_MAX as u64 + 500;
    let run = run(users, 0, Shop::new(i64::MAX, 0, Duration::from_millis(300))).await;
    assert_eq!(run.measured.counts.placed, users);
    assert_eq!(run.in_flight_max, IN_FLIGHT_MAX);
    assert!(
        run.arrival_lag_max >= Duration::from_millis(300),
        "{:?}",
        run.arrival_lag_max
    );
}

#[tokio::test(start_paused = true)]
async fn an_order_that_never_ends_is_given_up_after_the_hold_and_the_grace() {
    let started = Instant::now();
    let run = run(10, 0, Shop::new(10, 0, Duration::from_secs(86_400))).await;
    assert_eq!(started.elapsed(), Duration::from_secs(5) + GRACE);
    assert_eq!(
        (run.measured.counts.open, run.measured.counts.accepted),
        (10, 10)
    );
    assert_eq!(
        run.measured.told.len(),
        10,
        "what was accepted stays on record"
    );
    assert!(!run.interrupted);
}

#[tokio::test(start_paused = true)]
async fn an_interruption_stops_arrivals_and_keeps_what_is_known() {
    let (stop, stopped) = watch::channel(false);
    let (shop, board) = Shop::new(1_000, 0, Duration::from_millis(10));
    let storm = Storm::new(
        plan(1_000, 0, Duration::from_secs(100)),
        shop,
        Some(board),
        Arc::default(),
        GRACE,
    );
    let interrupt = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        stop.send(true).unwrap();
    };
    let (run, ()) = tokio::join!(storm.run(stopped), interrupt);
    assert!(run.interrupted);
    let counts = run.measured.counts;
    assert_eq!((counts.arrived, counts.placed), (101, 101));
}

#[tokio::test(start_paused = true)]
async fn buyers_of_a_ramp_arrive_one_after_the_other() {
    let (_stop, stop) = watch::channel(false);
    let (shop, board) = Shop::new(1_000, 0, Duration::from_millis(1));
    let plan = plan(1_000, 0, Duration::from_secs(10));
    let run = Storm::new(plan, shop, Some(board), Arc::default(), GRACE)
        .run(stop)
        .await;
    assert_eq!(run.elapsed, Duration::from_millis(9_991));
    assert!(run.in_flight_max < 10);
}
