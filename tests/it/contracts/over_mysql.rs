//! The contracts over MySQL and MariaDB: two adapters on one database, as two processes have them.
//!
//! `OMS_TEST_MYSQL_URL` and `OMS_TEST_MARIADB_URL` name servers, such as `mysql://root@127.0.0.1:3306/oms`, on which
//! each test makes a database of its own.

pub mod audits;
pub mod commits;
mod database;
pub mod limits;
pub mod locks;
pub mod sales;
pub mod schema;

use oms::inventory::mysql::MysqlInventory;

pub use self::database::{Database, until};
use super::damage::Tamper;
use super::{Fixture, Opened};
use crate::model::ManualClock;

/// A fixture, and the database behind it.
pub struct OnDatabase {
    pub store: Fixture<MysqlInventory>,
    pub database: Database,
}

/// Makes a database on the server that an environment variable names.
async fn on_database(variable: &str) -> Result<OnDatabase, String> {
    let database = Database::named_by(variable)?;
    MysqlInventory::migrate(&database.url).await.unwrap();
    let port = MysqlInventory::connect(&database.url).await.unwrap();
    let other = MysqlInventory::connect(&database.url).await.unwrap();
    let (shifting, tampered) = (database.clone(), database.clone());
    let store = Fixture::new(port, other, ManualClock::default(), database.clone())
        .passing_by(move |by| Box::pin(shifting.clone().age(by)))
        .tampered_by(move |what| {
            let database = tampered.clone();
            Box::pin(async move { database.run(&tampering(what)).await })
        });
    Ok(OnDatabase { store, database })
}

/// The statement that tampers with a store as anybody sees it, with what was sold and is not folded in.
fn tampering(what: Tamper) -> String {
    match what {
        Tamper::Blocked(name, _) => format!(
            "{}; UPDATE items SET blocked = blocked + (SELECT COALESCE(SUM(sale.units), 0) FROM sales \
             JOIN JSON_TABLE(sales.units, '$[*]' COLUMNS (sku VARCHAR(64) PATH '$[0]', units BIGINT PATH '$[1]')) AS sale \
             WHERE sale.sku = '{name}') WHERE sku = '{name}'",
            what.sql()
        ),
        other => other.sql(),
    }
}

/// The suites of the inventory, and those of this adapter, over one server.
macro_rules! suites_over {
    ($adapter:literal, $variable:literal) => {
        async fn open() -> super::Opened<super::MysqlInventory> {
            super::on_database($variable).await.map(|on| on.store)
        }

        async fn own() -> Result<super::OnDatabase, String> {
            super::on_database($variable).await
        }

        mod reserve {
            crate::contracts::reserve::reserve_suite!($adapter, #[tokio::test], super::open);
        }
        mod reads {
            crate::contracts::reads::reads_suite!($adapter, #[tokio::test], super::open);
        }
        mod settle {
            crate::contracts::settle::settle_suite!($adapter, #[tokio::test], super::open);
        }
        mod races {
            crate::contracts::races::races_suite!($adapter, #[tokio::test], super::open);
        }
        mod administration {
            crate::contracts::administration::administration_suite!($adapter, #[tokio::test], super::open);
        }
        mod dead_letters {
            crate::contracts::dead_letters::dead_letters_suite!($adapter, #[tokio::test], super::open);
        }
        mod audit {
            crate::contracts::audit::audit_suite!($adapter, #[tokio::test], super::open);
        }
        mod damage {
            crate::contracts::damage::damage_suite!($adapter, #[tokio::test], super::open);
        }
        mod unreadable {
            crate::contracts::damage::unreadable_suite!($adapter, #[tokio::test], super::open);
        }
        mod limits {
            crate::contracts::over_mysql::limits::limits_suite!($adapter, #[tokio::test], super::own);
        }
        mod locks {
            crate::contracts::over_mysql::locks::locks_suite!($adapter, #[tokio::test], super::own);
        }
        mod commits {
            crate::contracts::over_mysql::commits::commits_suite!($adapter, #[tokio::test], super::own);
        }
        mod sales {
            crate::contracts::over_mysql::sales::sales_suite!($adapter, #[tokio::test], super::own);
        }
        mod schema {
            crate::contracts::over_mysql::schema::schema_suite!($adapter, #[tokio::test], super::own);
        }
        mod audits {
            crate::contracts::over_mysql::audits::audits_suite!($adapter, #[tokio::test], super::own);
        }
    };
}

mod mysql {
    suites_over!("mysql", "OMS_TEST_MYSQL_URL");
}

mod mariadb {
    suites_over!("mariadb", "OMS_TEST_MARIADB_URL");
}
