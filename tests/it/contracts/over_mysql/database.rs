//! A database of a test's own, and other clients of it.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use oms::inventory::mysql::MysqlUrl;
use uuid::Uuid;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything stored with a time of the database's clock.
const TIMES: [(&str, &str); 8] = [
    ("orders", "hold_until"),
    ("settlements", "settled_at"),
    ("batches", "decided_at"),
    ("batches", "hold_until"),
    ("refunds", "recorded_at"),
    ("refunds", "executed_at"),
    ("adjustments", "adjusted_at"),
    ("items", "created_at"),
];

/// A database with a name of its own, dropped with its last clone.
#[derive(Clone)]
pub struct Database {
    pub url: MysqlUrl,
    dropped: Arc<Dropped>,
}

struct Dropped {
    opts: Opts,
    name: String,
}

impl Database {
    /// A database that is not made yet, on the server that an environment variable names.
    pub fn named_by(variable: &str) -> Result<Self, String> {
        let text = std::env::var(variable).map_err(|_| format!("{variable} is not set"))?;
        let server = MysqlUrl::parse(&text).unwrap();
        let name = format!("oms_test_{}", Uuid::new_v4().simple());
        // The tests' own client speaks only of `mysql:`, and knows no TLS.
        let plain = text.replacen("mariadb:", "mysql:", 1);
        let opts = Opts::from_url(plain.split('?').next().unwrap_or_default()).unwrap();
        let opts = OptsBuilder::from_opts(opts)
            .prefer_socket(false)
            .db_name(None::<String>);
        Ok(Self {
            url: server.with_database(&name),
            dropped: Arc::new(Dropped {
                opts: opts.into(),
                name,
            }),
        })
    }

    /// Another database on the same server.
    pub fn beside(&self) -> Self {
        let name = format!("oms_test_{}", Uuid::new_v4().simple());
        Self {
            url: self.url.with_database(&name),
            dropped: Arc::new(Dropped {
                opts: self.dropped.opts.clone(),
                name,
            }),
        }
    }

    /// A client that is not the adapter.
    pub async fn client(&self) -> Conn {
        let mut client = self.server().await;
        let name = &self.dropped.name;
        client.query_drop(format!("USE {name}")).await.unwrap();
        client
    }

    /// The same, for when the database is not there.
    pub async fn server(&self) -> Conn {
        Conn::new(self.dropped.opts.clone()).await.unwrap()
    }

    /// The server's address.
    pub fn address(&self) -> String {
        let opts = &self.dropped.opts;
        format!("{}:{}", opts.ip_or_hostname(), opts.tcp_port())
    }

    /// The same database, at another address or with parameters.
    pub fn at(&self, address: &str, parameters: &str) -> MysqlUrl {
        MysqlUrl::parse(&format!("{}{parameters}", self.text_at(address))).unwrap()
    }

    /// Its URL as a command takes it, with the password.
    pub fn text(&self) -> String {
        self.text_at(&self.address())
    }

    fn text_at(&self, address: &str) -> String {
        let opts = &self.dropped.opts;
        let user = opts.user().unwrap_or("root");
        let password = opts.pass().map_or(String::new(), |pass| format!(":{pass}"));
        format!("mysql://{user}{password}@{address}/{}", self.dropped.name)
    }

    /// Runs a statement as an administrator would.
    pub async fn run(&self, statement: &str) {
        self.client().await.query_drop(statement).await.unwrap();
    }

    /// Makes everything stored older.
    pub async fn age(self, by: Duration) {
        let mut client = self.client().await;
        for (table, column) in TIMES {
            let statement = format!(
                "UPDATE {table} SET {column} = {column} - {}",
                by.as_millis()
            );
            client.query_drop(statement).await.unwrap();
        }
        // `[hash,accepted,decided,…`, as text: the server would write the JSON in another way.
        let time = |place| {
            format!(
                "CAST(SUBSTRING_INDEX(SUBSTRING_INDEX(body, ',', {place}), ',', -1) AS SIGNED) - {}",
                by.as_millis()
            )
        };
        let statement = format!(
            "UPDATE orders SET body = CONCAT(SUBSTRING_INDEX(body, ',', 1), ',', {}, ',', {}, \
             SUBSTRING(body, 1 + LENGTH(SUBSTRING_INDEX(body, ',', 3)))) WHERE JSON_VALID(body)",
            time(2),
            time(3)
        );
        client.query_drop(statement).await.unwrap();
    }

    /// A connection that has been waiting for a lock, and for how many seconds.
    ///
    /// Told from the list of processes: the server's list of transactions is a cache that stays as it is while tests
    /// keep asking for it.
    async fn waiting(&self, client: &mut Conn) -> Option<(u64, u64)> {
        let query = format!(
            "SELECT id, time FROM information_schema.processlist \
             WHERE db = '{}' AND id <> CONNECTION_ID() AND info LIKE '%FOR UPDATE%'",
            self.dropped.name
        );
        client.query_first(query).await.unwrap()
    }

    /// Waits until a connection waits for a lock: it is seen doing so several times.
    pub async fn until_waiting(&self) -> u64 {
        let mut client = self.client().await;
        let mut seen = Vec::new();
        until(async || {
            let waiting = self.waiting(&mut client).await?.0;
            seen.retain(|seen| *seen == waiting);
            seen.push(waiting);
            (seen.len() > 5).then_some(waiting)
        })
        .await
    }

    /// Waits until a connection that had waited for so many seconds waits anew.
    pub async fn until_waiting_again_after(&self, seconds: u64) {
        let mut client = self.client().await;
        let mut longest = 0;
        until(async || {
            let (_, waited) = self.waiting(&mut client).await?;
            longest = longest.max(waited);
            (longest >= seconds && waited < seconds - 1).then_some(())
        })
        .await;
    }
}

/// Asks until there is an answer.
pub async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .expect("it never came")
}

impl Drop for Dropped {
    fn drop(&mut self) {
        let (opts, name) = (self.opts.clone(), self.name.clone());
        // The test's own runtime may be gone already.
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let mut client = Conn::new(opts).await.unwrap();
                let statement = format!("DROP DATABASE IF EXISTS {name}");
                client.query_drop(statement).await.unwrap();
            });
        });
        let _ = dropping.join();
    }
}
