//! The latencies as an HdrHistogram interval log, in microseconds, with a tag per step: what `HistogramLogProcessor`,
//! `HistogramLogAnalyzer` and their like read.

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::report::{RunReport, STEPS, distribution};

/// The largest value of an interval is told in milliseconds.
const US_PER_MS: f64 = 1_000.0;

pub(super) fn bytes(report: &RunReport) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let began = UNIX_EPOCH + Duration::from_millis(report.started_at);
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("microseconds from when each was due; the interval's largest in milliseconds")
        .with_start_time(began)
        .with_base_time(began)
        .with_max_value_divisor(US_PER_MS)
        .begin_log_with(&mut bytes, &mut serializer)?;
    for (at, length, step, text) in intervals(report) {
        let histogram = distribution::decode(text).map_err(io::Error::other)?;
        if histogram.is_empty() {
            continue;
        }
        log.write_histogram(&histogram, at, length, Tag::new(step))
            .map_err(|error| io::Error::other(error.to_string()))?;
    }
    Ok(bytes)
}

/// When each begins, how long it is, of which step, and its histogram; the whole run at once where there is no course.
fn intervals(report: &RunReport) -> Vec<(Duration, Duration, &'static str, &str)> {
    let series = &report.series;
    let length = Duration::from_millis(series.interval_ms);
    let course: Vec<_> = (0..series.intervals())
        .zip(0_u32..)
        .flat_map(|(at, number)| {
            STEPS.iter().filter_map(move |step| {
                let text = series.latency.get(*step)?.get(at)?;
                Some((length * number, length, *step, text.as_str()))
            })
        })
        .collect();
    if !course.is_empty() {
        return course;
    }
    let elapsed = Duration::try_from_secs_f64(report.elapsed_s).unwrap_or_default();
    (STEPS.iter())
        .filter_map(|step| {
            let both = report.histograms.get(*step)?;
            Some((Duration::ZERO, elapsed, *step, both.intended.as_str()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::report::fixture;

    /// How many values of a step a log has, and in how many intervals.
    fn read(bytes: &[u8], step: &str) -> (u64, usize) {
        let (mut values, mut intervals) = (0, 0);
        for entry in IntervalLogIterator::new(bytes) {
            let LogEntry::Interval(interval) = entry.unwrap() else {
                continue;
            };
            if interval.tag().map(|tag| tag.as_str()) != Some(step) {
                continue;
            }
            let packed = base64::engine::general_purpose::STANDARD
                .decode(interval.encoded_histogram())
                .unwrap();
            let histogram: hdrhistogram::Histogram<u64> = Deserializer::new()
                .deserialize(&mut packed.as_slice())
                .unwrap();
            values += histogram.len();
            intervals += 1;
        }
        (values, intervals)
    }

    #[test]
    fn the_log_reads_back_with_every_value_of_every_step() {
        let report = fixture::report();
        let log = bytes(&report).unwrap();
        for (step, of) in report.latency_ms.steps() {
            assert_eq!(read(&log, step), (of.count, report.series.intervals()));
        }
    }

    #[test]
    fn a_run_without_a_course_is_one_interval_per_step() {
        let mut report = fixture::report();
        report.series = crate::report::Series::default();
        let log = bytes(&report).unwrap();
        assert_eq!(
            read(&log, "end_to_end"),
            (report.latency_ms.end_to_end.count, 1)
        );
    }
}
