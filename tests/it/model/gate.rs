//! A gate that tasks wait at until a test opens it.

use std::sync::Arc;

use tokio::sync::watch;

/// A gate, closed at first. A clone is the same gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    open: watch::Sender<bool>,
    arrived: watch::Sender<u64>,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Inner {
            open: watch::Sender::new(false),
            arrived: watch::Sender::new(0),
        }))
    }
}

impl Gate {
    /// Lets everyone through, for ever.
    pub fn open(&self) {
        self.0.open.send_replace(true);
    }

    /// Waits until it is open.
    pub async fn pass(&self) {
        self.0.arrived.send_modify(|count| *count += 1);
        let mut open = self.0.open.subscribe();
        open.wait_for(|open| *open).await.unwrap();
    }

    /// Waits until somebody stands, or stood, at the gate.
    pub async fn reached(&self) {
        let mut arrived = self.0.arrived.subscribe();
        arrived.wait_for(|count| *count > 0).await.unwrap();
    }
}
