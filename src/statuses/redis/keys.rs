//! The names of keys, and which of them may go into one command.
//!
//! Every key has one of 64 hash tags, so that a cluster spreads them over its nodes and a script still finds many of
//! them in one slot: `oms:{b07}:order:<uuid>` and `oms:{b07}:stock:<sku>`. One server has the same names, so that its
//! data can move to a cluster.

use crate::domain::{OrderId, Sku};

/// How many hash tags there are. Never change it: what is stored would not be found again.
const TAGS: u8 = 64;

/// The most keys of one command: one that runs for long holds up everybody else.
const KEYS_MAX: usize = 1_000;

/// The names of a store's keys.
#[derive(Debug)]
pub(super) struct Keys {
    prefix: String,
    cluster: bool,
}

/// Commands that must run one after the other, each given by the positions of its items.
pub(super) type Lane = Vec<Vec<usize>>;

impl Keys {
    pub(super) fn new(prefix: &str, cluster: bool) -> Self {
        Self {
            prefix: prefix.to_owned(),
            cluster,
        }
    }

    /// The channel that tells of changes.
    pub(super) fn changes(&self) -> String {
        format!("{}changes", self.prefix)
    }

    pub(super) fn order(&self, id: OrderId) -> String {
        format!("{}{{b{:02}}}:order:{id}", self.prefix, order_tag(id))
    }

    /// What the keys of all orders look like, as SCAN takes it.
    pub(super) fn pattern_of_orders(&self) -> String {
        let mut pattern = String::new();
        for letter in self.prefix.chars() {
            if "*?[]\\^".contains(letter) {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern + "{b??}:order:*"
    }

    /// The order that a key is of, if it is one of an order.
    pub(super) fn order_of(&self, key: &str) -> Option<OrderId> {
        let (_, id) = key.strip_prefix(&self.prefix)?.rsplit_once(":order:")?;
        id.parse().ok()
    }

    pub(super) fn stock(&self, sku: &Sku) -> String {
        format!("{}{{b{:02}}}:stock:{sku}", self.prefix, stock_tag(sku))
    }

    /// How to spread orders over commands.
    pub(super) fn lanes_of_orders(&self, ids: impl Iterator<Item = OrderId>) -> Vec<Lane> {
        self.lanes(ids.map(order_tag))
    }

    /// How to spread items of stock over commands.
    pub(super) fn lanes_of_stock<'a>(&self, skus: impl Iterator<Item = &'a Sku>) -> Vec<Lane> {
        self.lanes(skus.map(stock_tag))
    }

    /// One server takes any keys together, and its connection keeps commands in order. In a cluster the keys of a
    /// command share a tag, and only the commands of a lane keep their order.
    fn lanes(&self, tags: impl Iterator<Item = u8>) -> Vec<Lane> {
        if !self.cluster {
            let items: Vec<usize> = tags.enumerate().map(|(item, _)| item).collect();
            return items
                .chunks(KEYS_MAX)
                .map(|chunk| vec![chunk.to_vec()])
                .collect();
        }
        let mut by_tag = vec![Vec::new(); usize::from(TAGS)];
        for (item, tag) in tags.enumerate() {
            by_tag[usize::from(tag)].push(item);
        }
        by_tag
            .into_iter()
            .filter(|items| !items.is_empty())
            .map(|items| items.chunks(KEYS_MAX).map(<[usize]>::to_vec).collect())
            .collect()
    }
}

/// The last byte of a time-ordered id is a random one.
fn order_tag(id: OrderId) -> u8 {
    id.as_bytes()[15] % TAGS
}

/// FNV-1a, 32 bits, folded: the same in every process and version.
fn stock_tag(sku: &Sku) -> u8 {
    let hash = sku.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let folded = hash
        .to_le_bytes()
        .into_iter()
        .fold(0, |all, byte| all ^ byte);
    folded % TAGS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(last: u8) -> OrderId {
        let mut bytes = [1; 16];
        bytes[15] = last;
        OrderId::from_bytes(bytes)
    }

    #[test]
    fn names_are_what_they_were() {
        let keys = Keys::new("oms:", true);
        assert_eq!(
            keys.order(id(200)),
            "oms:{b08}:order:01010101-0101-0101-0101-0101010101c8"
        );
        let stock = keys.stock(&Sku::new("A").unwrap());
        assert_eq!(stock, "oms:{b53}:stock:A");
        assert_eq!(keys.changes(), "oms:changes");
        assert_eq!(keys.pattern_of_orders(), "oms:{b??}:order:*");
        assert_eq!(keys.order_of(&keys.order(id(200))), Some(id(200)));
        assert_eq!(keys.order_of(&stock), None);
        let odd = Keys::new("a*[b]:", false);
        assert_eq!(odd.pattern_of_orders(), "a\\*\\[b\\]:{b??}:order:*");
    }

    #[test]
    fn items_of_stock_are_spread_over_all_tags() {
        let mut tags: Vec<u8> = (0..2_000).map(|n| stock_tag(&Sku::synthetic(n))).collect();
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), usize::from(TAGS));
    }

    #[test]
    fn a_command_has_at_most_a_thousand_keys_and_in_a_cluster_one_tag() {
        let ids = || (0..150_000_u32).map(|n| id(n.to_le_bytes()[0]));
        for cluster in [false, true] {
            let keys = Keys::new("oms:", cluster);
            let lanes = keys.lanes_of_orders(ids());
            let all: Vec<OrderId> = ids().collect();
            let mut seen: Vec<usize> = Vec::new();
            for chunk in lanes.iter().flatten() {
                assert!(chunk.len() <= KEYS_MAX);
                let tag = order_tag(all[chunk[0]]);
                assert!(!cluster || chunk.iter().all(|item| order_tag(all[*item]) == tag));
                seen.extend(chunk);
            }
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..all.len()));
        }
    }
}
