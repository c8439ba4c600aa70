//! The flags that say how buyers differ.

use crate::simulate::{Behaviour, DurationSpan, Restock, Share, ShareOf, Span};

/// How buyers differ, and what happens to the stock under way.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Behaviour (a share is 0.1 or 10%)")]
pub struct Crowd {
    /// Share of buyers who leave once their cart is accepted
    #[arg(long, value_name = "SHARE")]
    pub abandon: Option<Share>,
    /// Share of buyers who send cart and order twice, at once
    #[arg(long, value_name = "SHARE")]
    pub click_twice: Option<Share>,
    /// Share of buyers who send a request again, with its key, after so long
    #[arg(long, value_name = "SHARE:TIME")]
    pub retry: Option<ShareOf<DurationSpan>>,
    /// Share of buyers who leave when placing an order takes so long
    #[arg(long, value_name = "SHARE:TIME")]
    pub give_up: Option<ShareOf<DurationSpan>>,
    /// Share of buyers who come again once, so much later, when they left without the goods
    #[arg(long, value_name = "SHARE:TIME")]
    pub return_later: Option<ShareOf<DurationSpan>>,
    /// Share of buyers whose carts have so many lines
    #[arg(long, value_name = "SHARE:N..M")]
    pub bulk: Option<ShareOf<Span>>,
    /// Share of bots, and how many carts of the most wanted item each sends
    #[arg(long, value_name = "SHARE:N..M")]
    pub bots: Option<ShareOf<Span>>,
    /// Correct stock under way, such as 3s:SKU-00001:+50 or 3s:top10:-5; repeat for more
    #[arg(long, value_name = "TIME:SKU:UNITS")]
    pub restock: Vec<Restock>,
}

impl Crowd {
    /// These, and where they say nothing, those below.
    pub(super) fn over(self, below: Self) -> Self {
        let restock = if self.restock.is_empty() {
            below.restock
        } else {
            self.restock
        };
        Self {
            abandon: self.abandon.or(below.abandon),
            click_twice: self.click_twice.or(below.click_twice),
            retry: self.retry.or(below.retry),
            give_up: self.give_up.or(below.give_up),
            return_later: self.return_later.or(below.return_later),
            bulk: self.bulk.or(below.bulk),
            bots: self.bots.or(below.bots),
            restock,
        }
    }

    /// The same for the plan.
    pub(super) fn behaviour(&self) -> Behaviour {
        Behaviour {
            abandon: self.abandon.unwrap_or_default(),
            click_twice: self.click_twice.unwrap_or_default(),
            retry: self.retry,
            give_up: self.give_up,
            return_later: self.return_later,
            bulk: self.bulk,
            bots: self.bots,
        }
    }
}
