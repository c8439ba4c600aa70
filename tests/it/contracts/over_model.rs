//! The contracts over the models, in simulated time.

use super::damage::Tamper;
use super::{Fixture, Opened};
use crate::make::{customer, id, sku};
use crate::model::{
    ManualClock, ModelInventory, ModelPayments, ModelQueue, ModelStatuses, Outcome,
};

#[expect(
    clippy::unused_async,
    reason = "the stores of other adapters are awaited"
)]
async fn open_inventory() -> Opened<ModelInventory> {
    let clock = ManualClock::default();
    let model = ModelInventory::new(clock.clone());
    let tampered = model.clone();
    let fixture = Fixture::new(model.clone(), model, clock, ());
    Ok(fixture.tampered_by(move |what| {
        let mut state = tampered.state();
        match what {
            Tamper::Blocked(name, units) => {
                state.items.get_mut(&sku(name)).unwrap().level.blocked = units;
            }
            Tamper::NoItem(name) => drop(state.items.remove(&sku(name))),
            Tamper::Customer(number) => {
                let order = state.orders.get_mut(&id(number)).unwrap();
                order.customer = Some(customer("somebody else"));
            }
            Tamper::Cart(_) | Tamper::Settlement(_) => unreachable!("the model reads no rows"),
        }
        Box::pin(std::future::ready(()))
    }))
}

mod damage {
    crate::contracts::damage::damage_suite!("model", #[tokio::test(start_paused = true)], super::open_inventory);
}

mod reserve {
    crate::contracts::reserve::reserve_suite!("model", #[tokio::test(start_paused = true)], super::open_inventory);
}

mod reads {
    crate::contracts::reads::reads_suite!("model", #[tokio::test(start_paused = true)], super::open_inventory);
}

mod settle {
    crate::contracts::settle::settle_suite!("model", #[tokio::test(start_paused = true)], super::open_inventory);
}

mod races {
    crate::contracts::races::races_suite!("model", #[tokio::test(start_paused = true)], super::open_inventory);
}

mod administration {
    crate::contracts::administration::administration_suite!("model", #[tokio::test(start_paused = true)], super::open_inventory);
}

mod dead_letters {
    crate::contracts::dead_letters::dead_letters_suite!("model", #[tokio::test(start_paused = true)], super::open_inventory);
}

mod audit {
    crate::contracts::audit::audit_suite!("model", #[tokio::test(start_paused = true)], super::open_inventory);
}

#[expect(
    clippy::unused_async,
    reason = "the stores of other adapters are awaited"
)]
async fn open_queue() -> Opened<ModelQueue> {
    let model = ModelQueue::default();
    Ok(Fixture::new(
        model.clone(),
        model,
        ManualClock::default(),
        (),
    ))
}

mod queue {
    crate::contracts::queue::queue_suite!("model", #[tokio::test(start_paused = true)], super::open_queue);
}

#[expect(
    clippy::unused_async,
    reason = "the stores of other adapters are awaited"
)]
async fn open_partitions() -> Opened<ModelQueue> {
    let model = ModelQueue::with_partitions(3);
    Ok(Fixture::new(
        model.clone(),
        model,
        ManualClock::default(),
        (),
    ))
}

mod queue_of_three_partitions {
    crate::contracts::queue::queue_suite!("model with three partitions", #[tokio::test(start_paused = true)], super::open_partitions);
}

#[expect(
    clippy::unused_async,
    reason = "the stores of other adapters are awaited"
)]
async fn open_statuses() -> Opened<ModelStatuses> {
    let clock = ManualClock::default();
    let model = ModelStatuses::new(clock.clone());
    Ok(Fixture::new(model.clone(), model, clock, ()))
}

mod statuses {
    crate::contracts::statuses::statuses_suite!("model", #[tokio::test(start_paused = true)], super::open_statuses);
}

#[expect(
    clippy::unused_async,
    reason = "the stores of other adapters are awaited"
)]
async fn open_payments() -> Opened<ModelPayments> {
    let clock = ManualClock::default();
    let model = ModelPayments::new(clock.clone());
    Ok(Fixture::new(model.clone(), model, clock, ()))
}

mod payments {
    crate::contracts::payments::payments_suite!("model", #[tokio::test(start_paused = true)], super::open_payments);
}

#[expect(
    clippy::unused_async,
    reason = "the stores of other adapters are awaited"
)]
async fn open_declining() -> Opened<ModelPayments> {
    let clock = ManualClock::default();
    let model = ModelPayments::new(clock.clone());
    model.otherwise(Outcome::Decline);
    Ok(Fixture::new(model.clone(), model, clock, ()))
}

mod declining_payments {
    crate::contracts::payments::declining_payments_suite!("model that declines", #[tokio::test(start_paused = true)], super::open_declining);
}
