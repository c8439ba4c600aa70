//! Which rate when, and so when the n-th arrival is due.

use std::time::Duration;

use super::{Pace, Rate};
use crate::domain::format_duration;

/// A course of rates: each part goes linearly from one rate to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
struct Part {
    name: String,
    starts: Duration,
    /// Arrivals before it.
    before: f64,
    from: f64,
    to: f64,
    /// How long it lasts; none: for ever.
    over: Option<Duration>,
}

/// A part of a run with a rate of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// When it begins.
    pub from: Duration,
    /// When it ends; none: with the run.
    pub to: Option<Duration>,
    /// `ramp`, or the rate at its end.
    pub name: String,
    /// The rate at its end.
    pub rate: Rate,
}

/// Times that do not fit each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Nobody ever comes.
    #[error("no rate is above 0, and nobody would come; give --rate or --stage")]
    Nobody,
    /// Ramp and stages take longer than the run.
    #[error("ramp and stages take {}, and --duration ends after {}", format_duration(*parts), format_duration(*duration))]
    TooShort {
        /// How long the parts take.
        parts: Duration,
        /// How long the run takes.
        duration: Duration,
    },
}

impl Schedule {
    /// First up to `rate` over `ramp`, then each stage, then the last rate until `duration` is over. Without a
    /// duration it ends with the last stage; without stages, too, it goes on.
    ///
    /// # Errors
    /// [`ScheduleError`].
    pub fn new(
        rate: Option<Rate>,
        ramp: Duration,
        stages: &[Pace],
        duration: Option<Duration>,
    ) -> Result<Self, ScheduleError> {
        let mut schedule = Self { parts: Vec::new() };
        let mut last = Rate::ZERO;
        if let Some(rate) = rate {
            if !ramp.is_zero() {
                schedule.push("ramp".to_owned(), Rate::ZERO, rate, Some(ramp));
            }
            last = rate;
        }
        for stage in stages {
            schedule.push(stage.to.to_string(), last, stage.to, Some(stage.over));
            last = stage.to;
        }
        let parts = schedule.parts.iter().filter_map(|part| part.over).sum();
        match duration {
            Some(duration) if duration < parts => {
                return Err(ScheduleError::TooShort { parts, duration });
            }
            Some(duration) if duration > parts => {
                schedule.push(
                    last.to_string(),
                    last,
                    last,
                    Some(duration.saturating_sub(parts)),
                );
            }
            None if stages.is_empty() => schedule.push(last.to_string(), last, last, None),
            _ => {}
        }
        if schedule.parts.iter().all(|part| part.from + part.to <= 0.0) {
            return Err(ScheduleError::Nobody);
        }
        Ok(schedule)
    }

    fn push(&mut self, name: String, from: Rate, to: Rate, over: Option<Duration>) {
        let (starts, before) = self.parts.last().map_or((Duration::ZERO, 0.0), |part| {
            let over = part.over.unwrap_or_default();
            (part.starts + over, part.before + part.arrivals())
        });
        self.parts.push(Part {
            name,
            starts,
            before,
            from: from.per_second(),
            to: to.per_second(),
            over,
        });
    }

    /// How long it takes; none: it goes on.
    pub fn duration(&self) -> Option<Duration> {
        let last = self.parts.last()?;
        last.over.map(|over| last.starts + over)
    }

    /// How many arrivals there are to be expected; none: it goes on.
    pub fn arrivals(&self) -> Option<f64> {
        let last = self.parts.last()?;
        last.over.map(|_| last.before + last.arrivals())
    }

    /// When the expected number of arrivals reaches `count`; none: never.
    pub fn when(&self, count: f64) -> Option<Duration> {
        let after = |part: &&Part| part.over.is_some() && count >= part.before + part.arrivals();
        let part = self.parts.iter().find(|part| !after(part))?;
        let within = part.when(count - part.before);
        Some(part.starts + Duration::from_secs_f64(within))
    }

    /// Its parts.
    pub fn bands(&self) -> Vec<Band> {
        self.parts
            .iter()
            .map(|part| Band {
                from: part.starts,
                to: part.over.map(|over| part.starts + over),
                name: part.name.clone(),
                rate: Rate(part.to),
            })
            .collect()
    }

    /// The rate at a time, per second.
    pub fn rate_at(&self, time: Duration) -> Rate {
        let part = self.parts.iter().rev().find(|part| part.starts <= time);
        Rate(part.map_or(0.0, |part| {
            part.over.map_or(part.to, |over| {
                let share = time.saturating_sub(part.starts).as_secs_f64() / over.as_secs_f64();
                part.from + (part.to - part.from) * share.min(1.0)
            })
        }))
    }
}

impl Part {
    /// Arrivals to be expected in it.
    fn arrivals(&self) -> f64 {
        self.over.map_or(f64::INFINITY, |over| {
            f64::midpoint(self.from, self.to) * over.as_secs_f64()
        })
    }

    /// Seconds until `count` arrivals are to be expected in it: the root of `from·t + slope·t²/2 = count`, in the form
    /// that loses no digits.
    fn when(&self, count: f64) -> f64 {
        let slope = self
            .over
            .map_or(0.0, |over| (self.to - self.from) / over.as_secs_f64());
        let root = (self.from * self.from + 2.0 * slope * count)
            .max(0.0)
            .sqrt();
        if count <= 0.0 {
            0.0
        } else {
            2.0 * count / (self.from + root)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn stages(texts: &[&str]) -> Vec<Pace> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[track_caller]
    fn is_close(time: Option<Duration>, seconds: f64) {
        let off = time.unwrap().as_secs_f64() - seconds;
        assert!(off.abs() < 1e-6, "{time:?} against {seconds}");
    }

    #[test]
    fn a_constant_rate_goes_on_until_its_duration_is_over() {
        let schedule =
            Schedule::new(Some(rate("500")), Duration::ZERO, &[], Some(secs(10.0))).unwrap();
        is_close(schedule.when(0.0), 0.0);
        is_close(schedule.when(1_250.0), 2.5);
        assert_eq!(schedule.when(5_000.0), None);
        assert_eq!(schedule.arrivals(), Some(5_000.0));
        let endless = Schedule::new(Some(rate("500")), Duration::ZERO, &[], None).unwrap();
        is_close(endless.when(1e6), 2_000.0);
        assert_eq!((endless.duration(), endless.arrivals()), (None, None));
    }

    #[test]
    fn a_ramp_goes_linearly_up_to_the_rate() {
        let ramp = Schedule::new(Some(rate("100")), secs(10.0), &[], Some(secs(20.0))).unwrap();
        // Half of what the full rate would give.
        assert_eq!(ramp.arrivals(), Some(1_500.0));
        is_close(ramp.when(125.0), 5.0);
        is_close(ramp.when(500.0), 10.0);
        is_close(ramp.when(600.0), 11.0);
        assert_eq!(ramp.rate_at(secs(5.0)), rate("50"));
        assert_eq!(ramp.rate_at(secs(15.0)), rate("100"));
        let bands = ramp.bands();
        assert_eq!(
            (bands[0].name.as_str(), bands[0].to),
            ("ramp", Some(secs(10.0)))
        );
        assert_eq!(
            (bands[1].name.as_str(), bands[1].rate),
            ("100/s", rate("100"))
        );
    }

    #[test]
    fn each_stage_goes_linearly_from_the_rate_before_it() {
        let stages = stages(&["10s:100", "10s:100", "10s:0"]);
        let schedule = Schedule::new(None, Duration::ZERO, &stages, None).unwrap();
        assert_eq!(schedule.arrivals(), Some(2_000.0));
        assert_eq!(schedule.duration(), Some(secs(30.0)));
        is_close(schedule.when(500.0), 10.0);
        is_close(schedule.when(1_000.0), 15.0);
        is_close(schedule.when(1_875.0), 25.0);
        assert!(schedule.when(1_999.999).unwrap() < secs(30.0));
    }

    #[test]
    fn times_that_do_not_fit_are_refused() {
        let long = stages(&["30s:5"]);
        assert_eq!(
            Schedule::new(None, Duration::ZERO, &long, Some(secs(10.0)))
                .unwrap_err()
                .to_string(),
            "ramp and stages take 30s, and --duration ends after 10s"
        );
        let nobody = Schedule::new(Some(Rate::ZERO), Duration::ZERO, &[], Some(secs(1.0)));
        assert_eq!(nobody, Err(ScheduleError::Nobody));
    }
}
