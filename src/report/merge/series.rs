//! The courses of several runs, laid over each other.

use std::collections::BTreeMap;

use super::{MergeError, Named};
use crate::report::distribution::{self, Unreadable};
use crate::report::{Series, StockCourse};

/// The most intervals; longer ones are made of several.
const INTERVALS_MAX: u64 = 600;

/// One run, and where its intervals go.
struct Part<'a> {
    name: &'a str,
    series: &'a Series,
    offset_ms: u64,
}

/// Adds courses by interval. Each run began so many milliseconds after the first one.
pub(super) fn merged(runs: &[Named], offsets_ms: &[u64]) -> Result<Series, MergeError> {
    let parts: Vec<Part<'_>> = runs
        .iter()
        .zip(offsets_ms)
        .filter(|((_, run), _)| run.series.interval_ms > 0)
        .map(|((name, run), offset)| Part {
            name,
            series: &run.series,
            offset_ms: *offset,
        })
        .collect();
    let Some(longest) = parts.iter().map(|part| part.series.interval_ms).max() else {
        return Ok(Series::default());
    };
    let end_ms = parts.iter().map(Part::end_ms).max().unwrap_or(0);
    let mut interval_ms = longest;
    while end_ms.div_ceil(interval_ms) > INTERVALS_MAX {
        interval_ms *= 2;
    }
    let count = usize::try_from(end_ms.div_ceil(interval_ms)).unwrap_or(0);
    let frame = Frame { interval_ms, count };
    let added = |of: fn(&Series) -> &[u64]| frame.numbers(&parts, of, |sum, one| sum + one);
    Ok(Series {
        interval_ms,
        offered: added(|series| &series.offered),
        arrived: added(|series| &series.arrived),
        dropped: added(|series| &series.dropped),
        placed: added(|series| &series.placed),
        failed: added(|series| &series.failed),
        refused: added(|series| &series.refused),
        in_flight: frame.in_flight(&parts),
        // One queue for all: each shard sees the same messages.
        backlog: frame.numbers(&parts, |series| &series.backlog, u64::max),
        latency: frame.latency(&parts)?,
        stages: parts[0].series.stages.clone(),
        stock: frame.stock(&parts),
    })
}

impl Part<'_> {
    fn end_ms(&self) -> u64 {
        self.offset_ms + self.series.intervals() as u64 * self.series.interval_ms
    }
}

/// The intervals of the result.
struct Frame {
    interval_ms: u64,
    count: usize,
}

impl Frame {
    /// The interval into which the `at`-th of a part goes: the one in which it begins.
    fn place(&self, part: &Part<'_>, at: usize) -> usize {
        let begins_ms = part.offset_ms + at as u64 * part.series.interval_ms;
        let place = usize::try_from(begins_ms / self.interval_ms).unwrap_or(usize::MAX);
        place.min(self.count.saturating_sub(1))
    }

    fn numbers(
        &self,
        parts: &[Part<'_>],
        of: fn(&Series) -> &[u64],
        join: impl Fn(u64, u64) -> u64,
    ) -> Vec<u64> {
        let mut numbers = vec![0; self.count];
        for part in parts {
            for (at, number) in of(part.series).iter().enumerate() {
                let place = self.place(part, at);
                numbers[place] = join(numbers[place], *number);
            }
        }
        numbers
    }

    /// The most of each run, added: no more than that were under way.
    fn in_flight(&self, parts: &[Part<'_>]) -> Vec<u64> {
        let mut sum = vec![0; self.count];
        for part in parts {
            let most = self.numbers(
                std::slice::from_ref(part),
                |series| &series.in_flight,
                u64::max,
            );
            for (sum, most) in sum.iter_mut().zip(most) {
                *sum += most;
            }
        }
        sum
    }

    fn latency(&self, parts: &[Part<'_>]) -> Result<BTreeMap<String, Vec<String>>, MergeError> {
        let mut merged: BTreeMap<String, Vec<Vec<&str>>> = BTreeMap::new();
        for part in parts {
            for (step, histograms) in &part.series.latency {
                let places = merged
                    .entry(step.clone())
                    .or_insert_with(|| vec![Vec::new(); self.count]);
                for (at, text) in histograms.iter().enumerate() {
                    places[self.place(part, at)].push(text);
                }
            }
        }
        let sum = |places: Vec<Vec<&str>>| {
            let sums = places.into_iter().map(distribution::sum);
            sums.collect::<Result<Vec<String>, Unreadable>>()
        };
        merged
            .into_iter()
            .map(|(step, places)| match sum(places) {
                Ok(sums) => Ok((step, sums)),
                Err(source) => Err(MergeError::Histogram {
                    file: parts
                        .iter()
                        .map(|part| part.name)
                        .collect::<Vec<_>>()
                        .join(", "),
                    source,
                }),
            })
            .collect()
    }

    /// The stock of each item as the first shard that watched it learnt it: there is one stock for all.
    fn stock(&self, parts: &[Part<'_>]) -> Vec<StockCourse> {
        let mut courses: Vec<StockCourse> = Vec::new();
        for part in parts {
            for course in &part.series.stock {
                if courses.len() < super::ITEMS_MAX
                    && courses.iter().all(|known| known.sku != course.sku)
                {
                    courses.push(StockCourse {
                        sku: course.sku.clone(),
                        available: self.levels(part, &course.available),
                        blocked: self.levels(part, &course.blocked),
                    });
                }
            }
        }
        courses
    }

    /// The last level known in each interval.
    fn levels(&self, part: &Part<'_>, levels: &[i64]) -> Vec<i64> {
        let mut placed: Vec<Option<i64>> = vec![None; self.count];
        for (at, level) in levels.iter().enumerate() {
            placed[self.place(part, at)] = Some(*level);
        }
        let mut last = levels.first().copied().unwrap_or(0);
        placed
            .into_iter()
            .map(|level| {
                last = level.unwrap_or(last);
                last
            })
            .collect()
    }
}
