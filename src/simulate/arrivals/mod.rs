//! When buyers come: so many at once or over a while, again and again, or at a rate whatever the service does.

mod due;
mod gaps;
mod rate;
mod schedule;

use std::time::Duration;

pub use due::Due;
pub use gaps::Gaps;
pub use rate::{Pace, Rate, RateError};
pub use schedule::{Band, Schedule, ScheduleError};

use super::DurationSpan;

/// How buyers follow each other.
#[derive(Debug, Clone, Default)]
pub enum Arrivals {
    /// Closed: every buyer comes once, at once or spread evenly over the ramp of the plan.
    #[default]
    Once,
    /// Closed: so many users, who come again with a new cart after thinking, until the time is over.
    Again {
        /// From leaving to coming again.
        think: DurationSpan,
        /// How long they come.
        duration: Duration,
    },
    /// Open: at a rate, whatever the service does.
    Open {
        /// Which rate when.
        schedule: Schedule,
        /// How regular.
        gaps: Gaps,
    },
}

impl Arrivals {
    /// The name of the model: `closed` or `open`.
    pub const fn model(&self) -> &'static str {
        match self {
            Self::Once | Self::Again { .. } => "closed",
            Self::Open { .. } => "open",
        }
    }

    /// Whether a buyer who is late or left out says that the generator was too slow.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// In words that a digest can rest on; empty where every buyer comes once, whose times are all there is to say.
    pub fn words(&self) -> String {
        match self {
            Self::Once => String::new(),
            Self::Again { think, duration } => {
                format!("again think={think} duration={}us", duration.as_micros())
            }
            // The times of all arrivals follow from it.
            Self::Open { .. } => "open".to_owned(),
        }
    }
}
