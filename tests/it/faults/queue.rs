//! The faulty log.

use std::time::Duration;

use oms::domain::Timestamp;
use oms::queue::{
    Consumer, DeadLetter, Delivery, Error, Lag, Mark, Message, Oldest, Position, Queue, Replayable,
};

use super::{Fault, Faults, Faulty, Op};

/// A member of the group whose calls go past the same faults.
#[derive(Debug)]
pub struct FaultyConsumer<C> {
    inner: C,
    faults: Faults,
}

impl<T: Queue> Queue for Faulty<T> {
    type Consumer = FaultyConsumer<T::Consumer>;

    async fn publish(&self, messages: Vec<Message>) -> Result<Vec<Position>, Error> {
        let fault = self.faults.take(Op::Publish);
        let count = messages.len();
        let copies = if let Fault::Duplicate(times) = fault {
            times
        } else {
            1
        };
        let copied = messages
            .into_iter()
            .flat_map(|message| vec![message; copies]);
        let call = self.inner.publish(copied.collect());
        let mut positions = self.faults.pass_with(fault, Op::Publish, call).await?;
        let mut kept = positions.drain(..).step_by(copies);
        Ok(kept.by_ref().take(count).collect())
    }

    async fn subscribe(&self) -> Result<Self::Consumer, Error> {
        let call = self.inner.subscribe();
        let inner = self.faults.pass(Op::Subscribe, call).await?;
        Ok(FaultyConsumer {
            inner,
            faults: self.faults.clone(),
        })
    }

    async fn dead_letter(&self, letters: Vec<DeadLetter>) -> Result<(), Error> {
        let too_large = |letter: &DeadLetter| self.faults.is_too_large(&letter.delivery.payload);
        if letters.iter().any(too_large) {
            return Err(Error::permanent("append a dead letter: too large"));
        }
        let call = self.inner.dead_letter(letters);
        self.faults.pass(Op::DeadLetter, call).await
    }

    async fn end(&self) -> Result<Mark, Error> {
        self.faults.pass(Op::End, self.inner.end()).await
    }

    async fn consumed(&self, mark: &Mark) -> Result<bool, Error> {
        let call = self.inner.consumed(mark);
        self.faults.pass(Op::Consumed, call).await
    }

    async fn lag(&self) -> Result<Vec<Lag>, Error> {
        self.faults.pass(Op::Backlog, self.inner.lag()).await
    }

    async fn oldest(&self) -> Result<Option<Oldest>, Error> {
        self.faults.pass(Op::Backlog, self.inner.oldest()).await
    }

    fn topic(&self) -> &str {
        self.inner.topic()
    }

    fn obstacle(&self) -> Option<Error> {
        self.faults
            .has_no_space()
            .then(|| Error::unavailable("write to the store"))
            .or_else(|| self.inner.obstacle())
    }
}

impl<C: Consumer> Consumer for FaultyConsumer<C> {
    async fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, Error> {
        let fault = self.faults.take(Op::Poll);
        let copies = if let Fault::Duplicate(times) = fault {
            times
        } else {
            1
        };
        let call = self.inner.poll(max, wait);
        let batch = self.faults.pass_with(fault, Op::Poll, call).await?;
        Ok(vec![batch; copies].concat())
    }

    async fn commit(&mut self, positions: Vec<Position>) -> Result<(), Error> {
        let call = self.inner.commit(positions);
        self.faults.pass(Op::Commit, call).await
    }

    async fn still_owned(&mut self, positions: Vec<Position>) -> Result<Vec<Position>, Error> {
        self.inner.still_owned(positions).await
    }

    async fn close(self) {
        // A killed process says no goodbye.
        if !self.faults.is_dead() {
            self.inner.close().await;
        }
    }
}

/// A recovery is run by a person, who sees what fails.
impl<T: Replayable> Replayable for Faulty<T> {
    type Replay = T::Replay;

    async fn replay(&self, since: Timestamp) -> Result<T::Replay, Error> {
        self.inner.replay(since).await
    }
}
