//! A cluster of a test's own: permissions, and nodes that go away.

use nix::sys::signal::Signal;

use super::server::free_port;
use super::*;
use crate::ports::ErrorKind;

/// Three nodes that hold data, and then replicas.
struct Cluster(Vec<Server>);

impl Cluster {
    /// Three nodes with a third of the slots each.
    async fn start() -> Option<Self> {
        let mut nodes = Vec::new();
        for (slots, epoch) in [("0 5460", 1), ("5461 10922", 2), ("10923 16383", 3)] {
            let bus = free_port().to_string();
            let arguments = [
                "--cluster-enabled",
                "yes",
                "--cluster-node-timeout",
                "1000",
                "--cluster-port",
                &bus,
            ];
            let node = Server::start(&arguments)?;
            let _: () = node.admin(&format!("CLUSTER ADDSLOTSRANGE {slots}"));
            let _: () = node.admin(&format!("CLUSTER SET-CONFIG-EPOCH {epoch}"));
            nodes.push((node, bus));
        }
        for (node, bus) in &nodes[1..] {
            let meet = format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port);
            let _: () = nodes[0].0.admin(&meet);
        }
        let cluster = Self(nodes.into_iter().map(|(node, _)| node).collect());
        cluster.in_order().await;
        Some(cluster)
    }

    /// Adds a replica of the first node.
    async fn add_replica(&mut self) {
        let bus = free_port().to_string();
        let replica = Server::start(&[
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "1000",
            "--cluster-port",
            &bus,
        ])
        .unwrap();
        let meet = format!("CLUSTER MEET 127.0.0.1 {} {bus}", replica.port);
        let first = &self.0[0];
        let _: () = first.admin(&meet);
        let first: String = first.admin("CLUSTER MYID");
        self.0.push(replica);
        self.in_order().await;
        let replica = &self.0[3];
        let _: () = replica.admin(&format!("CLUSTER REPLICATE {first}"));
        soon(async {
            let up = || replica.admin::<String>("INFO replication");
            while !up().contains("master_link_status:up") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// Waits until every node says that the cluster is in order.
    async fn in_order(&self) {
        let says_so = |node: &Server| {
            let info: String = node.admin("CLUSTER INFO");
            let known = format!("cluster_known_nodes:{}", self.0.len());
            info.contains("cluster_state:ok") && info.contains(&known)
        };
        soon(async {
            while !self.0.iter().all(says_so) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    fn url(&self, login: &str) -> RedisUrl {
        let ports: Vec<String> = self
            .0
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port))
            .collect();
        format!("redis-cluster://{login}{}", ports.join(","))
            .parse()
            .unwrap()
    }
}

/// Orders of every tag.
fn orders(clock: &ManualClock, status: Status) -> Vec<Transition> {
    (0..128).map(|number| to(clock, number, status)).collect()
}

#[tokio::test]
async fn the_documented_permissions_are_enough_for_a_cluster() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    for node in &cluster.0 {
        let _: () = node.admin(
            "ACL SETUSER oms on >secret resetkeys ~oms:* resetchannels &oms:* -@all +mget +get +set +eval +publish \
             +subscribe +ping +scan +info +cluster|slots",
        );
    }
    let clock = ManualClock::default();
    let url = cluster.url("oms:secret@");
    let connect = || Store::connect(&url, clock.clone());
    let (store, other) = (connect().await.unwrap(), connect().await.unwrap());
    subscribed(&store).await;
    let waits = (0..128).map(|number| store.wait(id(number), 0, in_an_hour()));
    let write = other.transition(orders(&clock, Status::Block));
    let (entries, results) =
        soon(async { tokio::join!(futures::future::join_all(waits), write) }).await;
    assert!(entries.into_iter().all(|entry| entry.unwrap().is_some()));
    assert_eq!(results.unwrap(), [Transitioned::Applied; 128]);
    store.cache_stock(cached_now(&clock, 1)).await.unwrap();
    assert_eq!(cached(&store).await, Some(1));
    let checked = check(&url).await.unwrap();
    assert_eq!((checked.mode.as_str(), checked.nodes), ("cluster", 3));
    assert!(checked.warnings.is_empty(), "{checked:?}");
    for node in &cluster.0 {
        let denied: Vec<Value> = node.admin("ACL LOG");
        assert!(denied.is_empty(), "{denied:?}");
        // Whichever slots it has.
        let error = Store::connect(&node.url(), clock.clone())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("redis-cluster://"), "{error}");
    }
}

#[tokio::test]
async fn foreign_values_in_a_cluster_stop_nobody() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let clock = ManualClock::default();
    let url = cluster.url("");
    let store = Store::connect(&url, clock.clone()).await.unwrap();
    let plant = |key: &str, value: &[u8]| {
        let planted = cluster.0.iter().filter(|node| node.plant(key, value));
        assert_eq!(planted.count(), 1, "one node has the slot of {key}");
    };
    // Every third order, so that chunks hold both kinds.
    let values = foreign_values();
    for (number, value) in (0..128).step_by(3).zip(values.iter().cycle()) {
        plant(&store.inner.keys.order(id(number)), value);
    }
    plant(&store.inner.keys.stock(&Sku::synthetic(1)), &[1]);
    let written = store.transition(orders(&clock, Status::Init)).await;
    assert_eq!(written.unwrap(), [Transitioned::Applied; 128]);
    store.cache_stock(cached_now(&clock, 5)).await.unwrap();
    assert_eq!(cached(&store).await, Some(5));
}

#[tokio::test]
async fn nodes_that_come_back_are_used_again() {
    let Some(mut cluster) = Cluster::start().await else {
        return;
    };
    let clock = ManualClock::default();
    let store = Store::connect(&cluster.url(""), clock.clone())
        .await
        .unwrap();
    store
        .transition(orders(&clock, Status::Init))
        .await
        .unwrap();
    // The last one, then all of them.
    for away in [2..3, 0..3] {
        for node in &mut cluster.0[away.clone()] {
            node.stop();
        }
        let written = store.transition(orders(&clock, Status::Block)).await;
        assert_eq!(written.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
        let read = store.get((0..128).map(id).collect()).await;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Unavailable);
        for node in &mut cluster.0[away] {
            node.restart();
        }
        cluster.in_order().await;
        soon(async {
            while store
                .transition(orders(&clock, Status::Placed))
                .await
                .is_err()
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        let entries = store.get((0..128).map(id).collect()).await.unwrap();
        assert!(entries.iter().all(Option::is_some));
    }
}

#[tokio::test]
async fn a_node_that_hangs_is_left_when_its_replica_takes_over() {
    let Some(mut cluster) = Cluster::start().await else {
        return;
    };
    cluster.add_replica().await;
    let clock = ManualClock::default();
    let store = Store::connect(&cluster.url(""), clock.clone())
        .await
        .unwrap();
    store
        .transition(orders(&clock, Status::Init))
        .await
        .unwrap();
    cluster.0[0].signal(Signal::SIGSTOP);
    let replica = &cluster.0[3];
    soon(async {
        let role = || replica.admin::<String>("INFO replication");
        while !role().contains("role:master") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let began = Instant::now();
    let placed = || store.transition(orders(&clock, Status::Placed));
    soon(async {
        while placed().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // Left to itself, the client stays for 12 s with the node that hangs.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(9), "{took:?}");
}
