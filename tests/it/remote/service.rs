//! An inventory service: the API of `oms serve` on a port of its own, over any inventory.

use std::net::SocketAddr;

use oms::flow::{Flow, Settings};
use oms::http::{Api, Auth, Limits, Listener, Phase, Served, serve as serve_api};
use oms::http_client::HttpUrl;
use oms::inventory::http::HttpInventory;
use oms::ports::Backends;
use oms::rng::{OrderIds, Rng};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::model::{ManualClock, ModelPayments, ModelQueue, ModelStatuses};

/// An inventory service that is served; it ends when dropped.
pub struct Service {
    pub address: SocketAddr,
    phase: watch::Sender<Phase>,
}

impl Service {
    pub fn client(&self) -> HttpInventory {
        let url = HttpUrl::parse(&format!("http://{}", self.address)).unwrap();
        HttpInventory::open(&url).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.phase.send_replace(Phase::Stopping);
    }
}

/// Serves an inventory.
pub async fn serve<I>(inventory: I, clock: &ManualClock) -> Service
where
    Backends<I, ModelQueue, ModelStatuses, ModelPayments, ManualClock>: Served,
{
    let ports = Backends {
        inventory,
        queue: ModelQueue::default(),
        statuses: ModelStatuses::new(clock.clone()),
        payments: ModelPayments::new(clock.clone()),
        clock: clock.clone(),
    };
    let ids = OrderIds::new(Rng::from_seed(1));
    let flow = Flow::start(ports, Settings::default(), ids);
    let (phase, entered) = watch::channel(Phase::Serving);
    let api = Api::new(flow, &Limits::default(), Auth::open(), entered);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_api(vec![Listener::plain(listener)], api));
    Service { address, phase }
}
