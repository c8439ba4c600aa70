//! Makes connections.

use std::fs;
use std::io;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection, PubSubSink, PubSubStream};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, RedisError,
    RedisResult, TlsCertificates, Value,
};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::keys::Keys;
use super::url::RedisUrl;
use crate::domain::OrderId;

/// How long making a connection may take.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long an answer may take. The client's own default, 500 ms, is less than a busy server needs for a big batch.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);

/// How long the network may leave what was sent without an acknowledgement before the connection counts as broken.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);

/// How long connecting to one node of a cluster may take: one that hangs must not keep the others from being used.
const NODE_WAIT_MAX: Duration = Duration::from_secs(2);

/// How many commands may wait to be written before their callers wait.
const PENDING_MAX: usize = 1_024;

/// How often the client of a cluster sends a command again: after a slot has moved, while a node fails over.
const CLUSTER_RETRIES: u32 = 6;

/// The longest pause before that, in milliseconds.
const CLUSTER_RETRY_MS_MAX: u64 = 250;

/// The shortest pause before that, in milliseconds.
const CLUSTER_RETRY_MS_MIN: u64 = 10;

/// Makes connections to one server or a cluster.
pub(super) struct Dial {
    target: Target,
    /// The nodes by which to subscribe. A cluster passes messages on to all of its nodes.
    nodes: Vec<Client>,
    /// Reads what may be missing, to see whether a connection is good for anything.
    probe: Cmd,
}

enum Target {
    One(Box<Client>),
    Cluster(Box<ClusterClient>),
}

/// A connection for commands; a clone is the same connection.
#[derive(Clone)]
pub(crate) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Sends a command and waits for its answer.
    pub(crate) async fn ask(&mut self, command: &Cmd) -> RedisResult<Value> {
        let answer = match self {
            Self::One(connection) => connection.req_packed_command(command).await?,
            Self::Cluster(connection) => connection.req_packed_command(command).await?,
        };
        answer.extract_error()
    }
}

impl Dial {
    /// How to connect to a URL.
    pub(super) fn new(url: &RedisUrl, keys: &Keys) -> RedisResult<Self> {
        let certificates = certificates(url)?;
        let infos = url
            .endpoints()
            .iter()
            .map(|endpoint| info(url, endpoint))
            .collect::<RedisResult<Vec<_>>>()?;
        let client = |info: ConnectionInfo| match &certificates {
            Some(certificates) => Client::build_with_tls(info, certificates.clone()),
            None => Client::open(info),
        };
        let nodes = infos
            .iter()
            .map(|info| client(info.clone()))
            .collect::<RedisResult<Vec<_>>>()?;
        let target = if url.is_cluster() {
            Target::Cluster(Box::new(cluster(infos, certificates)?))
        } else {
            let info = infos.into_iter().next().ok_or((
                ErrorKind::InvalidClientConfig,
                "a URL of Redis without a host",
            ))?;
            let redis = info
                .redis_settings()
                .clone()
                .set_protocol(ProtocolVersion::RESP3);
            Target::One(Box::new(client(info.set_redis_settings(redis))?))
        };
        Ok(Self {
            target,
            nodes,
            probe: probe(url, keys),
        })
    }

    /// Whether it connects to a cluster.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.target, Target::Cluster(_))
    }

    /// Connects for commands. When the connection to a single server breaks, `epoch` is sent to `lost` at once;
    /// the client of a cluster reconnects to its nodes by itself.
    pub(super) async fn connect(
        &self,
        epoch: u64,
        lost: &mpsc::UnboundedSender<u64>,
    ) -> RedisResult<Connection> {
        let connect = async {
            let mut connection = match &self.target {
                Target::One(client) => {
                    let config = settings(epoch, lost.clone());
                    let connection = client
                        .get_multiplexed_async_connection_with_config(&config)
                        .await?;
                    Connection::One(connection)
                }
                Target::Cluster(client) => {
                    Connection::Cluster(client.get_async_connection().await?)
                }
            };
            // A server accepts connections while it still loads its data.
            connection.ask(&self.probe).await?;
            Ok(connection)
        };
        in_time(connect).await
    }

    /// Connects to the first node that answers, and subscribes to a channel.
    pub(super) async fn subscribe(&self, channel: &str) -> RedisResult<(PubSubSink, PubSubStream)> {
        let mut failure = None;
        for node in &self.nodes {
            let subscribe = async {
                let mut subscription = node.get_async_pubsub().await?;
                subscription.subscribe(channel).await?;
                Ok(subscription.split())
            };
            match in_time(subscribe).await {
                Ok(subscription) => return Ok(subscription),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| io::Error::from(io::ErrorKind::NotFound).into()))
    }
}

/// One server reads any keys together; the node of a cluster that somebody took for one server does not.
fn probe(url: &RedisUrl, keys: &Keys) -> Cmd {
    let key = |last| {
        let mut id = [0; 16];
        id[15] = last;
        keys.order(OrderId::from_bytes(id))
    };
    let mut command = redis::cmd("MGET");
    command.arg(key(0));
    if !url.is_cluster() {
        command.arg(key(1));
    }
    command
}

/// Gives what makes a connection its time.
pub(super) async fn in_time<T>(call: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match timeout(CONNECT_WAIT_MAX, call).await {
        Ok(result) => result,
        Err(_) => {
            let text = format!("no answer within {} s", CONNECT_WAIT_MAX.as_secs());
            Err(RedisError::from(io::Error::new(
                io::ErrorKind::TimedOut,
                text,
            )))
        }
    }
}

fn settings(epoch: u64, lost: mpsc::UnboundedSender<u64>) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_WAIT_MAX))
        .set_response_timeout(Some(ANSWER_WAIT_MAX))
        .set_pipeline_buffer_size(PENDING_MAX)
        .set_push_sender(move |push: PushInfo| match push.kind {
            PushKind::Disconnection => lost.send(epoch).map_err(|_| ()),
            _ => Ok(()),
        })
}

fn cluster(
    nodes: Vec<ConnectionInfo>,
    certificates: Option<TlsCertificates>,
) -> RedisResult<ClusterClient> {
    let mut builder = ClusterClientBuilder::new(nodes)
        .use_protocol(ProtocolVersion::RESP3)
        .connection_timeout(NODE_WAIT_MAX)
        .response_timeout(ANSWER_WAIT_MAX)
        .overall_response_timeout(Some(ANSWER_WAIT_MAX))
        .retries(CLUSTER_RETRIES)
        .min_retry_wait(CLUSTER_RETRY_MS_MIN)
        .max_retry_wait(CLUSTER_RETRY_MS_MAX)
        .tcp_settings(tcp());
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    builder.build()
}

fn tcp() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(UNACKNOWLEDGED_MAX);
    settings
}

fn info(url: &RedisUrl, (host, port): &(String, u16)) -> RedisResult<ConnectionInfo> {
    let mut redis = RedisConnectionInfo::default()
        .set_db(i64::from(url.db()))
        // One permission less that a user needs.
        .set_skip_set_lib_name();
    if let Some(user) = url.user() {
        redis = redis.set_username(user);
    }
    if let Some(password) = url.password() {
        redis = redis.set_password(password);
    }
    let (host, port) = (host.clone(), *port);
    let addr = if url.is_tls() {
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        }
    } else {
        ConnectionAddr::Tcp(host, port)
    };
    Ok(addr
        .into_connection_info()?
        .set_tcp_settings(tcp())
        .set_redis_settings(redis))
}

/// What is trusted on an encrypted connection; `None` without encryption.
fn certificates(url: &RedisUrl) -> RedisResult<Option<TlsCertificates>> {
    if !url.is_tls() {
        return Ok(None);
    }
    // The process may have one provider only; whoever installed it first has installed this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root_cert = match url.tls_ca() {
        None => None,
        Some(path) => Some(fs::read(path).map_err(|error| {
            let text = format!("cannot read {}: {error}", path.display());
            RedisError::from(io::Error::new(error.kind(), text))
        })?),
    };
    Ok(Some(TlsCertificates {
        client_tls: None,
        root_cert,
    }))
}
