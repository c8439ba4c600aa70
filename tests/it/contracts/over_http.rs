//! The contracts over the HTTP adapters: two inventory services on one SQLite file, each with a client of its own, as
//! two processes have them; and two connections to a gateway.

use std::sync::Arc;

use oms::domain::{Money, OrderId};
use oms::inventory::http::HttpInventory;
use oms::inventory::sqlite::SqliteInventory;
use oms::payments::http::HttpPayments;
use oms::payments::{
    Attempt, Cancelled, Charge, ChargeRecord, Error, LedgerEntry, LedgerQuery, Payments, Verdict,
};
use oms::sqlite::{Options, Scope, Store};
use tempfile::TempDir;

use super::{Fixture, Opened};
use crate::model::{ManualClock, ModelPayments, Outcome};
use crate::remote::{gateway, service};

async fn open_inventory() -> Opened<HttpInventory> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let clock = ManualClock::default();
    let open = || {
        let options = Options {
            path: folder.path().join("oms.db"),
            max_page_count: None,
        };
        let store = Store::open(options, &[Scope::Inventory]).unwrap();
        SqliteInventory::open(Arc::new(store), clock.clone()).unwrap()
    };
    let one = service::serve(open(), &clock).await;
    let other = service::serve(open(), &clock).await;
    let path = folder.path().join("oms.db");
    let fixture = Fixture::new(one.client(), other.client(), clock, (one, other, folder));
    Ok(fixture.tampered_by(move |what| Box::pin(super::over_sqlite::tamper(path.clone(), what))))
}

mod damage {
    crate::contracts::damage::damage_suite!("http", #[tokio::test], super::open_inventory);
}

mod unreadable {
    crate::contracts::damage::unreadable_suite!("http", #[tokio::test], super::open_inventory);
}

mod reserve {
    crate::contracts::reserve::reserve_suite!("http", #[tokio::test], super::open_inventory);
}

mod reads {
    crate::contracts::reads::reads_suite!("http", #[tokio::test], super::open_inventory);
}

mod settle {
    crate::contracts::settle::settle_suite!("http", #[tokio::test], super::open_inventory);
}

mod races {
    crate::contracts::races::races_suite!("http", #[tokio::test], super::open_inventory);
}

mod administration {
    crate::contracts::administration::administration_suite!("http", #[tokio::test], super::open_inventory);
}

mod dead_letters {
    crate::contracts::dead_letters::dead_letters_suite!("http", #[tokio::test], super::open_inventory);
}

mod audit {
    crate::contracts::audit::audit_suite!("http", #[tokio::test], super::open_inventory);
}

/// The adapter, with the books of the gateway behind it: the protocol has no call that lists them.
struct WithBooks {
    adapter: HttpPayments,
    gateway: ModelPayments,
}

impl Payments for WithBooks {
    async fn charge(&self, charge: Charge) -> Result<Verdict, Error> {
        self.adapter.charge(charge).await
    }

    async fn lookup(&self, id: OrderId) -> Result<Option<Verdict>, Error> {
        self.adapter.lookup(id).await
    }

    async fn record(&self, id: OrderId) -> Result<Option<ChargeRecord>, Error> {
        self.adapter.record(id).await
    }

    async fn cancel(&self, id: OrderId) -> Result<Cancelled, Error> {
        self.adapter.cancel(id).await
    }

    async fn refund(&self, id: OrderId, amount: Money) -> Result<(), Error> {
        self.adapter.refund(id, amount).await
    }

    async fn attempts(&self, id: OrderId) -> Result<Vec<Attempt>, Error> {
        assert_eq!(self.adapter.attempts(id).await?, []);
        self.gateway.attempts(id).await
    }

    async fn ledger(&self, query: LedgerQuery) -> Result<Option<Vec<LedgerEntry>>, Error> {
        assert_eq!(self.adapter.ledger(query.clone()).await?, None);
        self.gateway.ledger(query).await
    }
}

async fn open_gateway(otherwise: Outcome) -> Opened<WithBooks> {
    let clock = ManualClock::default();
    let model = ModelPayments::new(clock.clone());
    model.otherwise(otherwise);
    let server = gateway::serve(model.clone()).await;
    let open = || WithBooks {
        adapter: server.client(),
        gateway: model.clone(),
    };
    Ok(Fixture::new(open(), open(), clock, server))
}

async fn open_payments() -> Opened<WithBooks> {
    open_gateway(Outcome::Capture).await
}

mod payments {
    crate::contracts::payments::payments_suite!("http", #[tokio::test], super::open_payments);
}

async fn open_declining() -> Opened<WithBooks> {
    open_gateway(Outcome::Decline).await
}

mod declining_payments {
    crate::contracts::payments::declining_payments_suite!("http that declines", #[tokio::test], super::open_declining);
}
