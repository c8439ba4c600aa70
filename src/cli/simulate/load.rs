//! The flags that say when buyers come.

use std::time::Duration;

use super::args::{duration, positive};
use crate::cli::Usage;
use crate::config::parse_count;
use crate::domain::format_duration;
use crate::simulate::{
    Arrivals, DurationSpan, Gaps, IN_FLIGHT_MAX, Pace, Rate, Schedule, USERS_MAX,
};

/// The most buyers under way that can be asked for.
const IN_FLIGHT_ASKED_MAX: u64 = 1_000_000;

/// When buyers come.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Arrivals")]
pub struct Load {
    /// Spread arrivals evenly over this time; with --rate, go up to it over this time [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub ramp: Option<Duration>,
    /// Let so many come per second, whatever the service does, such as 500 or 500/s
    #[arg(long, value_name = "RATE", conflicts_with = "trace")]
    pub rate: Option<Rate>,
    /// Go to this rate over this time, such as 30s:1000; repeat for more
    #[arg(long = "stage", value_name = "TIME:RATE", conflicts_with = "trace")]
    pub stages: Vec<Pace>,
    /// Whether arrivals at a rate come by chance or regularly [default: poisson]
    #[arg(long, value_name = "poisson|constant")]
    pub arrivals: Option<Gaps>,
    /// Let buyers come for so long: at the last rate, or again and again
    #[arg(long, value_name = "TIME", value_parser = positive, conflicts_with = "trace")]
    pub duration: Option<Duration>,
    /// Leave the first part of the run out of the figures, not out of the audit
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub warmup: Option<Duration>,
    /// With --duration: come again with a new cart after so long, a time or a range [default: 0s]
    #[arg(long, value_name = "TIME", conflicts_with_all = ["trace", "rate", "stages"])]
    pub think: Option<DurationSpan>,
    /// The most buyers under way at once; at a rate, others are left out [default: 20000]
    #[arg(long, value_name = "N", value_parser = in_flight)]
    pub in_flight: Option<u64>,
}

impl Load {
    /// These, and where they say nothing, those below.
    pub(super) fn over(self, below: Self) -> Self {
        let stages = if self.stages.is_empty() {
            below.stages
        } else {
            self.stages
        };
        Self {
            ramp: self.ramp.or(below.ramp),
            rate: self.rate.or(below.rate),
            stages,
            arrivals: self.arrivals.or(below.arrivals),
            duration: self.duration.or(below.duration),
            warmup: self.warmup.or(below.warmup),
            think: self.think.or(below.think),
            in_flight: self.in_flight.or(below.in_flight),
        }
    }

    /// Over how long arrivals are spread, or the rate goes up.
    pub fn ramp(&self) -> Duration {
        self.ramp.unwrap_or_default()
    }

    /// The most buyers under way at once.
    pub fn in_flight(&self) -> usize {
        self.in_flight.map_or(IN_FLIGHT_MAX, |most| {
            usize::try_from(most).unwrap_or(usize::MAX)
        })
    }

    /// Whether buyers come at a rate.
    fn is_open(&self) -> bool {
        self.rate.is_some() || !self.stages.is_empty()
    }

    /// How regular arrivals at a rate are; none where buyers come otherwise.
    pub(super) fn gaps(&self) -> Option<Gaps> {
        self.is_open().then(|| self.arrivals.unwrap_or_default())
    }

    /// How many buyers there are, given how many were asked for; the time ends the run where none were and it can.
    pub(super) fn users(&self, asked: Option<u64>) -> u64 {
        let timed = self.duration.is_some() || !self.stages.is_empty();
        match asked {
            Some(users) => users,
            None if self.is_open() && timed => USERS_MAX,
            None => 1_000,
        }
    }

    /// How buyers follow each other.
    ///
    /// # Errors
    /// [`Usage`] when the flags do not fit each other.
    pub(super) fn arrivals(&self) -> anyhow::Result<Arrivals> {
        let arrivals = match (self.is_open(), self.duration) {
            (true, _) => self.at_a_rate()?,
            (false, _) if self.arrivals.is_some() => {
                return Err(Usage::new("--arrivals is of buyers at a --rate").into());
            }
            (false, Some(duration)) => Arrivals::Again {
                think: self.think.unwrap_or_default(),
                duration,
            },
            (false, None) if self.think.is_some() => {
                return Err(Usage::new(
                    "--think is between two visits of one user; say by --duration how long users come",
                )
                .into());
            }
            (false, None) => Arrivals::Once,
        };
        let lasts = match &arrivals {
            Arrivals::Open { schedule, .. } => schedule.duration(),
            _ => self.duration,
        };
        match (self.warmup, lasts) {
            (Some(warmup), Some(lasts)) if warmup >= lasts => Err(Usage::new(format!(
                "--warmup {} leaves nothing of a run of {}",
                format_duration(warmup),
                format_duration(lasts)
            ))
            .into()),
            _ => Ok(arrivals),
        }
    }

    fn at_a_rate(&self) -> anyhow::Result<Arrivals> {
        if self.think.is_some() {
            return Err(Usage::new(
                "--think is of users who come again, and at a --rate everybody comes once",
            )
            .into());
        }
        let schedule = Schedule::new(self.rate, self.ramp(), &self.stages, self.duration)
            .map_err(|error| Usage::because(&error))?;
        #[expect(clippy::cast_precision_loss, reason = "far below 2⁵³")]
        let most = USERS_MAX as f64;
        if schedule.arrivals().is_some_and(|arrivals| arrivals > most) {
            return Err(Usage::new(format!("more than {USERS_MAX} buyers would come")).into());
        }
        Ok(Arrivals::Open {
            schedule,
            gaps: self.arrivals.unwrap_or_default(),
        })
    }
}

fn in_flight(text: &str) -> Result<u64, String> {
    match parse_count(text) {
        Ok(count @ 1..=IN_FLIGHT_ASKED_MAX) => Ok(count),
        Ok(_) => Err(format!("1 to {IN_FLIGHT_ASKED_MAX} buyers are allowed")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load() -> Load {
        Load::default()
    }

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_time_ends_the_run_where_no_number_of_buyers_does() {
        let rate = Some("500".parse().unwrap());
        let endless = Load { rate, ..load() };
        assert_eq!(endless.users(None), 1_000);
        let timed = Load {
            rate,
            duration: Some(secs(5)),
            ..load()
        };
        assert_eq!(timed.users(None), USERS_MAX);
        assert_eq!(timed.users(Some(70)), 70);
        let again = Load {
            duration: Some(secs(5)),
            ..load()
        };
        assert_eq!(again.users(None), 1_000);
        assert!(matches!(again.arrivals(), Ok(Arrivals::Again { .. })));
        assert!(matches!(endless.arrivals(), Ok(Arrivals::Open { .. })));
        assert!(matches!(load().arrivals(), Ok(Arrivals::Once)));
    }

    #[test]
    fn flags_that_do_not_fit_each_other_are_refused() {
        let think = Some("1s".parse().unwrap());
        let rate = Some("10".parse().unwrap());
        for load in [
            Load { think, ..load() },
            Load {
                arrivals: Some(Gaps::Constant),
                ..load()
            },
            Load {
                rate,
                think,
                ..load()
            },
            Load {
                duration: Some(secs(5)),
                warmup: Some(secs(5)),
                ..load()
            },
            Load {
                stages: vec!["30s:5".parse().unwrap()],
                duration: Some(secs(5)),
                ..load()
            },
        ] {
            let error = load.arrivals().unwrap_err();
            assert!(error.is::<Usage>(), "{load:?}: {error}");
        }
    }

    #[test]
    fn a_flag_comes_before_the_scenario() {
        let scenario = Load {
            rate: Some("10".parse().unwrap()),
            duration: Some(secs(5)),
            stages: vec!["5s:5".parse().unwrap()],
            ..load()
        };
        let flags = Load {
            duration: Some(secs(9)),
            ..load()
        };
        let both = flags.over(scenario.clone());
        assert_eq!((both.rate, both.duration), (scenario.rate, Some(secs(9))));
        assert_eq!(both.stages, scenario.stages);
    }
}
