//! What [`Statuses`] promises.

mod cache;
mod entries;
mod waiting;

pub use cache::*;
pub use entries::*;
pub use waiting::*;

use std::time::Duration;

use oms::domain::{Status, StatusSet};
use oms::ports::Clock;
use oms::statuses::{StatusEntry, Statuses, Transition, Transitioned};

use super::Fixture;
use crate::make::id;

const AN_HOUR: Duration = Duration::from_secs(3_600);

impl<S: Statuses> Fixture<S> {
    /// A transition by rank, as the flow writes outcomes.
    fn to(&self, number: u64, to: Status) -> Transition {
        let at = self.clock.now();
        Transition {
            order_id: id(number),
            from: StatusSet::below(to),
            to,
            reason: None,
            cart_hash: None,
            at,
            expires_at: at.plus(AN_HOUR),
        }
    }

    async fn write(&self, transition: Transition) -> Transitioned {
        let mut results = self.port.transition(vec![transition]).await.unwrap();
        assert_eq!(results.len(), 1, "one result per transition");
        results.remove(0)
    }

    async fn entry(&self, number: u64) -> Option<StatusEntry> {
        self.other.get(vec![id(number)]).await.unwrap().remove(0)
    }

    async fn status(&self, number: u64) -> Option<Status> {
        self.entry(number).await.map(|entry| entry.status)
    }
}

/// One test per case, over one adapter.
macro_rules! statuses_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            statuses over $($adapter)+;
            an_unknown_order_has_no_status,
            a_status_is_kept_as_written,
            only_a_higher_rank_overwrites,
            a_status_is_set_only_from_those_named,
            each_transition_of_a_batch_stands_on_its_own,
            thousands_are_set_and_read_at_once,
            the_cart_hash_stays_unless_another_is_written,
            an_order_replaces_the_init_of_another_cart,
            an_expired_status_is_unknown,
            every_status_is_found_by_reading_through_the_store,
            the_history_names_every_status_in_turn,
            a_waiter_is_answered_at_once_if_it_is_already_so,
            a_waiter_is_woken_by_a_higher_rank_only,
            a_waiter_in_another_process_is_woken,
            a_waiter_ends_at_its_deadline_with_what_is_there,
            of_many_writers_one_wins,
            cached_stock_is_told_with_the_time_it_was_known_at,
            a_lower_version_is_kept_out_for_100_ms_only,
            a_version_that_was_old_when_it_came_keeps_nothing_out,
            the_same_version_again_is_fresh_again,
            an_entry_from_the_future_keeps_nothing_out,
        }
    };
}
pub(crate) use statuses_suite;
