//! Reads through all statuses: node by node, as SCAN gives their keys.

use redis::{Cmd, ErrorKind, RedisResult, Value};

use super::dial::in_time;
use super::{RedisStatuses, value};
use crate::domain::OrderId;
use crate::ports::{Clock, Error};
use crate::statuses::{ScanCursor, ScanPage, ScanStatuses};

const ACTION: &str = "read all statuses";

/// The name of a server that is alone.
const SINGLE: &str = "";

impl<C: Clock> ScanStatuses for RedisStatuses<C> {
    async fn scan(&self, cursor: Option<ScanCursor>, limit: usize) -> Result<ScanPage, Error> {
        let failed = |error| Error::unavailable(ACTION).because(error);
        let inner = &self.inner;
        let mut connection = inner.link.connection(ACTION).await?.0;
        let (mut nodes, position) = match cursor {
            Some(ScanCursor::Nodes { nodes, position }) => (nodes, position),
            _ => (in_time(connection.masters()).await.map_err(failed)?, 0),
        };
        let Some(node) = nodes.first() else {
            return Ok((Vec::new(), None));
        };
        let mut command = redis::cmd("SCAN");
        command
            .arg(position)
            .arg("MATCH")
            .arg(inner.keys.pattern_of_orders());
        command.arg("COUNT").arg(limit);
        let answer = in_time(connection.ask_node(command, node)).await;
        let (position, keys) = answer.and_then(page).map_err(failed)?;
        let ids: Vec<OrderId> = keys
            .iter()
            .filter_map(|key| inner.keys.order_of(key))
            .collect();
        let now = inner.clock.now();
        let values = inner.values_of_orders(ACTION, &ids).await?;
        let entries = ids.into_iter().zip(values);
        let entries = entries.filter_map(|(id, value)| Some((id, value::entry(&value?, now)?)));
        // A node that is through begins again at 0.
        if position == 0 {
            nodes.remove(0);
        }
        let next = (!nodes.is_empty()).then_some(ScanCursor::Nodes { nodes, position });
        Ok((entries.collect(), next))
    }
}

/// The position and the keys of an answer to SCAN.
fn page(answer: Value) -> RedisResult<(u64, Vec<String>)> {
    Ok(redis::from_redis_value(answer)?)
}

impl super::dial::Connection {
    /// The nodes that hold data, as `host:port`; one without a name for a single server.
    async fn masters(&mut self) -> RedisResult<Vec<String>> {
        use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
        let Self::Cluster(cluster) = self else {
            return Ok(vec![SINGLE.to_owned()]);
        };
        let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let answers = cluster.route_command(redis::cmd("PING"), all).await?;
        let Value::Map(answers) = answers.extract_error()? else {
            return Err(unexpected());
        };
        let nodes = answers
            .into_iter()
            .map(|(node, _)| Ok(redis::from_redis_value(node)?));
        nodes.collect()
    }

    /// Sends a command to one of the nodes.
    async fn ask_node(&mut self, command: Cmd, node: &str) -> RedisResult<Value> {
        use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
        let Self::Cluster(cluster) = self else {
            return self.ask(&command).await;
        };
        let (host, port) = node.rsplit_once(':').ok_or_else(unexpected)?;
        let to = SingleNodeRoutingInfo::ByAddress {
            host: host.to_owned(),
            port: port.parse().map_err(|_| unexpected())?,
        };
        let answer = cluster.route_command(command, RoutingInfo::SingleNode(to));
        answer.await?.extract_error()
    }
}

fn unexpected() -> redis::RedisError {
    (
        ErrorKind::UnexpectedReturnType,
        "the nodes of the cluster are not named",
    )
        .into()
}
