//! Orders from their carts to their ends, with the database and the gateway behind HTTP.

use oms::domain::{Cart, OrderId, OrderState, Reason};
use oms::flow::{AddToCart, Added, Flow, Placement, Settings};
use oms::inventory::http::HttpInventory;
use oms::payments::http::HttpPayments;
use oms::ports::Backends;
use oms::rng::{OrderIds, Rng};
use oms::worker;
use tokio::sync::watch;

use super::{gateway, service};
use crate::faults::{Fault, Faults, Faulty, Op};
use crate::make::{cart, item, sku};
use crate::model::{
    ManualClock, ModelInventory, ModelPayments, ModelQueue, ModelStatuses, Outcome,
};

type Ports = Backends<HttpInventory, ModelQueue, ModelStatuses, HttpPayments, ManualClock>;

async fn added(flow: &Flow<Ports>, cart: Cart) -> OrderId {
    let order_id = None;
    match flow.add_to_cart(AddToCart { order_id, cart }).await {
        Ok(Added::Accepted { order_id, .. }) => order_id,
        other => panic!("not accepted: {other:?}"),
    }
}

#[tokio::test]
async fn an_order_goes_all_ten_steps_with_database_and_gateway_behind_http() {
    let clock = ManualClock::default();
    let inventory = ModelInventory::new(clock.clone());
    inventory.put(&[item("A", 3)]);
    let faults = Faults::default();
    // Answers of the service are lost now and then: everything is repeated, and nothing is done twice.
    faults.next(Op::Reserve, [Fault::LostAfter, Fault::Unavailable]);
    faults.next(Op::Settle, [Fault::LostAfter, Fault::LostBefore]);
    let service = service::serve(Faulty::new(inventory.clone(), &faults), &clock).await;
    let payments = ModelPayments::new(clock.clone());
    let gateway = gateway::serve(payments.clone()).await;
    let ports = Backends {
        inventory: service.client(),
        queue: ModelQueue::default(),
        statuses: ModelStatuses::new(clock.clone()),
        payments: gateway.client(),
        clock,
    };
    let ids = OrderIds::new(Rng::from_seed(1));
    let flow = Flow::start(ports, Settings::default(), ids);
    let (stop, stopping) = watch::channel(false);
    let working = tokio::spawn(worker::run(
        flow.clone(),
        worker::Options::default(),
        stopping,
    ));
    let placed = async |buyer: &str| {
        let id = added(&flow, cart(buyer, [("A", 1)])).await;
        (id, flow.place_order(id, None).await.unwrap())
    };
    payments.otherwise(Outcome::CaptureUnheard);
    let (paid, placement) = placed("c1").await;
    assert_eq!(placement, Placement::Placed);
    payments.otherwise(Outcome::Decline);
    let (_, placement) = placed("c2").await;
    assert_eq!(placement, Placement::Failed(Reason::Declined));
    assert_eq!(payments.entry(paid).unwrap().captures, 1);
    stop.send_replace(true);
    working.await.unwrap().unwrap();
    let state = inventory.state();
    let level = &state.items[&sku("A")].level;
    assert_eq!((level.available, level.blocked, level.sold), (2, 0, 1));
    assert_eq!(state.orders[&paid].state, OrderState::Placed);
}
