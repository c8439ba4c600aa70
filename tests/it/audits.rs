//! What an audit of all stores finds, what it covers with a checkpoint, and what it reads again.

use std::time::Duration;

use oms::audit::{Report, committed};
use oms::domain::{Reason, Status, StatusSet};
use oms::inventory::{
    Administration as _, AuditRequest, Auditing as _, Check, Inventory as _, ReserveBatch, Settle,
    SettleAction,
};
use oms::payments::{Charge, Payments as _};
use oms::ports::{Backends, Clock as _};
use oms::statuses::{Statuses as _, Transition};

use crate::faults::{Fault, Faults, Faulty, Op};
use crate::make::{PRICE, accepted, customer, id, item, money};
use crate::model::{ManualClock, ModelInventory, ModelPayments, ModelQueue, ModelStatuses};

const GRACE: Duration = Duration::from_secs(60);

type Ports =
    Backends<Faulty<ModelInventory>, ModelQueue, ModelStatuses, ModelPayments, ManualClock>;

/// A shop without anybody at work.
struct Shop {
    ports: Ports,
    faults: Faults,
}

impl Shop {
    async fn open() -> Self {
        let clock = ManualClock::default();
        let faults = Faults::default();
        let inventory = ModelInventory::new(clock.clone());
        inventory.put_items(vec![item("A", 100)]).await.unwrap();
        let ports = Backends {
            inventory: Faulty::new(inventory, &faults),
            queue: ModelQueue::default(),
            statuses: ModelStatuses::new(clock.clone()),
            payments: ModelPayments::new(clock.clone()),
            clock,
        };
        Self { ports, faults }
    }

    /// Reserves one unit, in a batch of its own.
    async fn reserve(&self, number: u64) {
        let carts = vec![accepted(number, [("A", 1)])];
        let hold = Duration::from_secs(600);
        let batch = ReserveBatch { carts, hold };
        self.ports.inventory.reserve(batch).await.unwrap();
    }

    async fn charge(&self, number: u64) {
        let charge = Charge {
            order_id: id(number),
            customer: customer("payer"),
            amount: money(PRICE),
        };
        self.ports.payments.charge(charge).await.unwrap();
    }

    async fn settle(&self, number: u64, action: SettleAction) {
        let order_id = id(number);
        let settle = vec![Settle { order_id, action }];
        self.ports.inventory.settle(settle).await.unwrap();
    }

    async fn place_unpaid(&self, number: u64) {
        self.reserve(number).await;
        let captured = money(PRICE);
        self.settle(number, SettleAction::Confirm { captured })
            .await;
    }

    async fn place(&self, number: u64) {
        self.place_unpaid(number).await;
        self.charge(number).await;
    }

    async fn fail(&self, number: u64) {
        self.reserve(number).await;
        let reason = Reason::Declined;
        self.settle(number, SettleAction::Release { reason }).await;
    }

    async fn tell(&self, number: u64, to: Status) {
        let at = self.ports.clock.now();
        let transition = Transition {
            order_id: id(number),
            from: StatusSet::MISSING,
            to,
            reason: None,
            cart_hash: None,
            at,
            expires_at: at.plus(Duration::from_secs(86_400)),
        };
        self.ports
            .statuses
            .transition(vec![transition])
            .await
            .unwrap();
    }

    async fn audit(&self) -> Report {
        let request = AuditRequest::incremental(GRACE);
        committed(&self.ports, request).await.unwrap()
    }

    async fn full_audit(&self) -> Report {
        committed(&self.ports, AuditRequest::full(GRACE))
            .await
            .unwrap()
    }
}

/// Number of the last checkpoint, and how many orders are covered.
fn covered(report: &Report) -> (u64, u64) {
    let last = report.checkpoint;
    last.map_or((0, 0), |last| (last.number, last.orders))
}

fn found(report: &Report) -> Vec<(Check, String)> {
    let findings = report.findings.iter();
    findings
        .map(|finding| (finding.check, finding.subject.clone()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_audit_reads_what_is_new_since_the_last_one() {
    let shop = Shop::open().await;
    for number in 1..=3 {
        shop.place(number).await;
    }
    let first = shop.audit().await;
    assert_eq!(
        (first.full, first.orders, covered(&first)),
        (true, 3, (1, 3))
    );
    shop.place(4).await;
    shop.reserve(5).await;
    let second = shop.audit().await;
    assert_eq!(found(&second), []);
    assert_eq!((second.full, second.orders), (false, 2));
    assert_eq!(
        covered(&second),
        (2, 4),
        "the reserved order is not covered"
    );
    let third = shop.full_audit().await;
    assert_eq!(found(&third), []);
    assert_eq!(
        (third.full, third.orders, covered(&third)),
        (true, 5, (2, 4))
    );
}

#[tokio::test(start_paused = true)]
async fn a_charge_that_arrives_for_a_covered_order_is_found() {
    let shop = Shop::open().await;
    shop.fail(1).await;
    assert_eq!(covered(&shop.audit().await), (1, 1));
    shop.ports.clock.forward(Duration::from_secs(3_600));
    shop.charge(1).await;
    shop.charge(2).await;
    let unpaid = |number| (Check::Unpaid, id(number).to_string());
    let expected = [unpaid(1), unpaid(2)];
    assert_eq!(found(&shop.audit().await), expected, "failed; unknown");
    assert_eq!(found(&shop.full_audit().await), expected);
}

#[tokio::test(start_paused = true)]
async fn an_order_at_fault_is_read_again_and_the_others_are_not() {
    let shop = Shop::open().await;
    shop.place(1).await;
    shop.place_unpaid(2).await;
    shop.place(3).await;
    let unpaid = [(Check::Unpaid, id(2).to_string())];
    let first = shop.audit().await;
    assert_eq!(found(&first), unpaid);
    assert_eq!(covered(&first), (1, 2));
    let second = shop.audit().await;
    assert_eq!(found(&second), unpaid);
    assert_eq!((second.orders, covered(&second)), (1, (1, 2)));
    shop.charge(2).await;
    let third = shop.audit().await;
    assert_eq!((found(&third), covered(&third)), (vec![], (2, 3)));
}

#[tokio::test(start_paused = true)]
async fn a_status_that_contradicts_its_order_keeps_it_from_being_covered() {
    let shop = Shop::open().await;
    shop.place(1).await;
    shop.fail(2).await;
    shop.tell(1, Status::Placed).await;
    shop.tell(2, Status::Placed).await;
    let report = shop.audit().await;
    assert_eq!(found(&report), [(Check::Projection, id(2).to_string())]);
    assert_eq!(covered(&report), (1, 1));
    // Of an order that nobody knows only a full audit can learn once there is a checkpoint.
    shop.tell(3, Status::Placed).await;
    let report = shop.full_audit().await;
    let projection = |number| (Check::Projection, id(number).to_string());
    assert_eq!(found(&report), [projection(2), projection(3)]);
}

#[tokio::test(start_paused = true)]
async fn an_audit_that_cannot_write_its_checkpoint_says_so_and_is_as_good() {
    let shop = Shop::open().await;
    shop.place(1).await;
    shop.faults.next(Op::Cover, [Fault::Unavailable]);
    let report = shop.audit().await;
    assert!(report.is_ok());
    assert_eq!(covered(&report), (0, 0));
    assert!(
        report.notes[0].contains("no checkpoint was written"),
        "{:?}",
        report.notes
    );
    let again = shop.audit().await;
    assert_eq!((again.orders, covered(&again)), (1, (1, 1)));
}

#[tokio::test(start_paused = true)]
async fn orders_that_the_status_store_was_not_asked_about_are_not_covered() {
    let shop = Shop::open().await;
    shop.place(1).await;
    let broken = Backends {
        inventory: shop.ports.inventory.clone(),
        queue: shop.ports.queue.clone(),
        statuses: Faulty::new(shop.ports.statuses.clone(), &shop.faults),
        payments: shop.ports.payments.clone(),
        clock: shop.ports.clock.clone(),
    };
    shop.faults.next(Op::Get, [Fault::Unavailable]);
    let request = AuditRequest::incremental(GRACE);
    let report = committed(&broken, request).await.unwrap();
    assert!(report.is_ok());
    assert_eq!(covered(&report), (0, 0));
    assert_eq!(shop.ports.inventory.checkpoint().await.unwrap(), None);
}
