//! The buyers under way, each a task.

use std::future::Future;
use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::agenda::Agenda;
use crate::simulate::Gauges;
use crate::simulate::buyer::Left;

/// The buyers under way.
pub(super) struct Crowd {
    buyers: JoinSet<Left>,
    gauges: Arc<Gauges>,
    most: usize,
    peak: usize,
}

impl Crowd {
    /// Nobody yet, and at most so many at once.
    pub(super) fn new(gauges: Arc<Gauges>, most: usize) -> Self {
        Self {
            buyers: JoinSet::new(),
            gauges,
            most,
            peak: 0,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.buyers.len() < self.most
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buyers.is_empty()
    }

    /// How many there were at most.
    pub(super) fn peak(&self) -> usize {
        self.peak
    }

    pub(super) fn enter(&mut self, buyer: impl Future<Output = Left> + Send + 'static) {
        self.buyers.spawn(buyer);
        self.peak = self.peak.max(self.buyers.len());
        self.gauges.set_in_flight(self.buyers.len());
    }

    /// Takes note of all who have left.
    pub(super) fn see_off(&mut self, agenda: &mut Agenda<'_>) {
        while let Some(left) = self.buyers.try_join_next() {
            self.goes(left, agenda);
        }
    }

    /// Waits until one leaves; for ever where there is nobody.
    pub(super) async fn one_leaves(&mut self, agenda: &mut Agenda<'_>) {
        match self.buyers.join_next().await {
            Some(left) => self.goes(left, agenda),
            None => std::future::pending().await,
        }
    }

    fn goes(&self, left: Result<Left, JoinError>, agenda: &mut Agenda<'_>) {
        self.gauges.set_in_flight(self.buyers.len());
        if let Some(left) = check(left) {
            agenda.left(left);
        }
    }

    /// Waits until all have left, at most until the deadline.
    pub(super) async fn wait(&mut self, deadline: Instant) {
        let all = async {
            while let Some(left) = self.buyers.join_next().await {
                check(left);
            }
        };
        // Whoever is still here is sent away next.
        let _ = tokio::time::timeout_at(deadline, all).await;
    }

    /// Sends all away who are still here.
    pub(super) async fn end(&mut self) {
        self.buyers.abort_all();
        while let Some(left) = self.buyers.join_next().await {
            check(left);
        }
        self.gauges.set_in_flight(0);
    }
}

/// Who has left; none if it was sent away.
fn check(left: Result<Left, JoinError>) -> Option<Left> {
    match left {
        Ok(left) => Some(left),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}
