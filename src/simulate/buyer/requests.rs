//! How a buyer sends a request: once, or as badly as its traits say. Whatever it sends again has the same key, so that
//! one cart is one order.

use std::sync::Arc;
use std::time::Duration;

use super::{Buyer, Scene};
use crate::domain::OrderId;
use crate::rng::Rng;
use crate::simulate::Traits;
use crate::simulate::driver::{Asked, Driver, Said};
use crate::simulate::told::Answer;

/// The first and the longest pause between two `placeOrder` of an order whose payment is not known.
const REPEAT_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How often an impatient buyer sends a request again; then it waits for the answer.
const RETRIES_MAX: u32 = 3;

impl<D: Driver> Buyer<'_, D> {
    /// Sends the cart.
    pub(super) async fn send(&mut self) -> Asked {
        let traits = self.visit.traits;
        if traits.clicks_twice || traits.retries_after.is_some() {
            // In a box, so that the many who send it once need no room for this.
            return Box::pin(self.send_more_than_once()).await;
        }
        let (cart, rng) = (&self.visit.cart, &mut self.visit.rng);
        self.scene.driver.add_to_cart(cart, None, rng).await
    }

    async fn send_more_than_once(&mut self) -> Asked {
        let traits = self.visit.traits;
        let driver = &self.scene.driver;
        let (cart, rng) = (&self.visit.cart, &mut self.visit.rng);
        let key = driver.new_order_id(rng);
        if traits.clicks_twice {
            let mut other = Rng::from_seed(rng.bits());
            let (one, two) = tokio::join!(
                driver.add_to_cart(cart, Some(key), rng),
                driver.add_to_cart(cart, Some(key), &mut other)
            );
            return both(one, two);
        }
        if let Some(patience) = traits.retries_after {
            for _ in 0..RETRIES_MAX {
                let sent = driver.add_to_cart(cart, Some(key), rng);
                if let Ok(answer) = tokio::time::timeout(patience, sent).await {
                    return answer;
                }
            }
        }
        driver.add_to_cart(cart, Some(key), rng).await
    }

    /// Places an accepted order, as far as the buyer goes along. A second answer is one that contradicts the first.
    pub(super) async fn place(&mut self, id: OrderId) -> (Answer, Option<Answer>) {
        let traits = self.visit.traits;
        if traits.abandons {
            return (Answer::Accepted, None);
        }
        let rng = &mut self.visit.rng;
        let plain = !traits.clicks_twice && traits.retries_after.is_none();
        match traits.gives_up_after {
            None if plain => (insist(self.scene, id, rng).await, None),
            // In a box, as above.
            None => Box::pin(place(self.scene, id, traits, rng)).await,
            Some(patience) => {
                // Whoever leaves takes no request back.
                let (scene, mut rng) = (Arc::clone(self.scene), Rng::from_seed(rng.bits()));
                let placing =
                    tokio::spawn(async move { place(&scene, id, traits, &mut rng).await });
                match tokio::time::timeout(patience, placing).await {
                    Ok(Ok(answers)) => answers,
                    Ok(Err(_)) | Err(_) => (Answer::Accepted, None),
                }
            }
        }
    }
}

async fn place<D: Driver>(
    scene: &Arc<Scene<D>>,
    id: OrderId,
    traits: Traits,
    rng: &mut Rng,
) -> (Answer, Option<Answer>) {
    let patience = traits.retries_after;
    if !traits.clicks_twice {
        return (insist_impatiently(scene, id, patience, rng).await, None);
    }
    let mut other = Rng::from_seed(rng.bits());
    let (one, two) = tokio::join!(
        insist_impatiently(scene, id, patience, rng),
        insist_impatiently(scene, id, patience, &mut other)
    );
    agreed(one, two)
}

/// Repeats `placeOrder` until it is final; the run ends it at its deadline.
async fn insist<D: Driver>(scene: &Scene<D>, id: OrderId, rng: &mut Rng) -> Answer {
    let mut pause = REPEAT_PAUSE.0;
    loop {
        if let Some(answer) = final_answer(scene.driver.place(id, rng).await) {
            return answer;
        }
        tokio::time::sleep(rng.jitter(pause)).await;
        pause = (pause * 2).min(REPEAT_PAUSE.1);
    }
}

/// The same, by somebody who sends a request again when it takes too long.
async fn insist_impatiently<D: Driver>(
    scene: &Arc<Scene<D>>,
    id: OrderId,
    patience: Option<Duration>,
    rng: &mut Rng,
) -> Answer {
    let Some(patience) = patience else {
        return insist(scene, id, rng).await;
    };
    for _ in 0..RETRIES_MAX {
        // It goes on beside the next one: it is under way, whoever waits for it.
        let (scene, mut rng) = (Arc::clone(scene), Rng::from_seed(rng.bits()));
        let placing = tokio::spawn(async move { scene.driver.place(id, &mut rng).await });
        if let Ok(said) = tokio::time::timeout(patience, placing).await
            && let Some(answer) = final_answer(said.unwrap_or(Said::Silent))
        {
            return answer;
        }
    }
    insist(scene, id, rng).await
}

/// What a client knows after an answer; none if it has to ask again.
fn final_answer(said: Said) -> Option<Answer> {
    match said {
        Said::Placed => Some(Answer::Placed),
        Said::Failed(reason) => Some(Answer::Failed(reason)),
        Said::Forgotten => Some(Answer::Forgotten),
        Said::Silent => Some(Answer::Accepted),
        Said::Waiting => None,
    }
}

/// What a buyer knows who has sent one cart twice: accepted by one is accepted, and no answer to one is no refusal.
fn both(one: Asked, two: Asked) -> Asked {
    match (one, two) {
        (accepted @ Asked::Accepted(_), _) | (_, accepted @ Asked::Accepted(_)) => accepted,
        (doubt @ Asked::InDoubt(_), _) | (_, doubt @ Asked::InDoubt(_)) => doubt,
        (refused, _) => refused,
    }
}

/// What a buyer knows who has placed one order twice, and what contradicts that: one of the two is a lie then, and the
/// audit is told both. That nobody knows the order comes first, since it is one in any case.
fn agreed(one: Answer, two: Answer) -> (Answer, Option<Answer>) {
    let is_final = |answer: Answer| !answer.is_open();
    match (one, two) {
        (Answer::Forgotten, other) | (other, Answer::Forgotten) => {
            (Answer::Forgotten, Some(other).filter(|it| is_final(*it)))
        }
        (one, two) if is_final(one) => (one, Some(two).filter(|it| is_final(*it) && *it != one)),
        (_, two) => (two, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reason;

    #[test]
    fn of_two_answers_to_one_cart_the_better_one_counts() {
        let id = OrderId::v7(1, &[0; 10]);
        let refused = || Asked::Refused {
            order_id: id,
            reason: Reason::SoldOut,
            sku: None,
            retry_after: None,
        };
        let (accepted, doubt) = (|| Asked::Accepted(id), || Asked::InDoubt(id));
        assert_eq!(both(refused(), accepted()), accepted());
        assert_eq!(both(doubt(), accepted()), accepted());
        assert_eq!(both(refused(), doubt()), doubt());
        assert_eq!(both(refused(), refused()), refused());
    }

    #[test]
    fn of_two_answers_to_one_order_what_is_final_counts_and_a_contradiction_is_kept() {
        let (placed, failed) = (Answer::Placed, Answer::Failed(Reason::Declined));
        let open = Answer::Accepted;
        assert_eq!(agreed(open, failed), (failed, None));
        assert_eq!(agreed(failed, open), (failed, None));
        assert_eq!(agreed(placed, placed), (placed, None));
        assert_eq!(agreed(open, open), (open, None));
        assert_eq!(agreed(failed, placed), (failed, Some(placed)));
        for (one, two) in [(Answer::Forgotten, placed), (placed, Answer::Forgotten)] {
            assert_eq!(agreed(one, two), (Answer::Forgotten, Some(placed)));
        }
    }
}
