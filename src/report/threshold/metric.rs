//! What a threshold is about, and how it is measured in a run.

use super::count::{ACCEPTED, COUNTS, Count, Figure, NUMBERS, RATES, SHARES, USERS, Whole};
use crate::domain::Reason;
use crate::inventory::Check;
use crate::report::{RunReport, STEPS, distribution};
use crate::terminal::{grouped, many};

/// What a threshold is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Metric {
    Latency {
        /// 1 is the slowest.
        quantile: f64,
        service: bool,
        step: &'static str,
    },
    Count(&'static Count),
    Failed(Reason),
    Refused(Reason),
    Invariant(Check),
    Rate(&'static Figure),
    Share(&'static Figure),
    Number(&'static Figure),
}

/// In what a metric is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Milliseconds.
    Time,
    /// A whole number, perhaps a share of another.
    Count { shares: bool },
    /// Per second.
    Rate,
    /// From 0 to 1, or in percent.
    Share,
    /// A number.
    Number,
}

/// A value, and how it is told.
pub(super) struct Measured {
    pub(super) value: f64,
    pub(super) text: String,
}

impl Metric {
    /// The metric of a name; latencies are of a step.
    pub(super) fn named(name: &str, step: Option<&str>) -> Result<Self, String> {
        if let Some((quantile, service)) = latency(name) {
            let step = step.ok_or_else(|| {
                format!(
                    "say of which step: \"{name}<50ms for place_order\", or for {}",
                    STEPS.join(", for ")
                )
            })?;
            let step = STEPS
                .into_iter()
                .find(|known| *known == step)
                .ok_or_else(|| format!("there is no step `{step}`, but {}", STEPS.join(", ")))?;
            return Ok(Self::Latency {
                quantile,
                service,
                step,
            });
        }
        let metric = Self::counted(name)?;
        match step {
            Some(step) => Err(format!("`{name}` is not of a step; leave out `for {step}`")),
            None => Ok(metric),
        }
    }

    fn counted(name: &str) -> Result<Self, String> {
        if let Some((what, reason)) = name.split_once('.') {
            let reason = reason.parse().map_err(|_| {
                let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
                format!("there is no reason `{reason}`, but {}", known.join(", "))
            })?;
            return match what {
                "failed" => Ok(Self::Failed(reason)),
                "refused" => Ok(Self::Refused(reason)),
                _ => Err(format!(
                    "only failed and refused have reasons, not `{what}`"
                )),
            };
        }
        let figure = |figures: &'static [Figure]| figures.iter().find(|(known, _)| *known == name);
        let count = COUNTS.iter().find(|count| count.name == name);
        let check = Check::ALL.into_iter().find(|check| check.as_str() == name);
        count
            .map(Self::Count)
            .or_else(|| check.map(Self::Invariant))
            .or_else(|| figure(&RATES).map(Self::Rate))
            .or_else(|| figure(&SHARES).map(Self::Share))
            .or_else(|| figure(&NUMBERS).map(Self::Number))
            .ok_or_else(|| format!("there is no figure `{name}`, but {}", known().join(", ")))
    }

    pub(super) const fn unit(&self) -> Unit {
        match self {
            Self::Latency { .. } => Unit::Time,
            Self::Count(Count { whole, .. }) => Unit::Count {
                shares: whole.is_some(),
            },
            Self::Failed(_) | Self::Refused(_) => Unit::Count { shares: true },
            Self::Invariant(_) => Unit::Count { shares: false },
            Self::Rate(_) => Unit::Rate,
            Self::Share(_) => Unit::Share,
            Self::Number(_) => Unit::Number,
        }
    }

    /// What it is in a run, in percent if asked; none where nothing was measured.
    pub(super) fn measure(&self, run: &RunReport, percent: bool) -> Option<Measured> {
        let by = |reasons: &std::collections::BTreeMap<Reason, u64>, reason| {
            reasons.get(reason).copied().unwrap_or(0)
        };
        match self {
            Self::Latency {
                quantile,
                service,
                step,
            } => milliseconds(run, *quantile, *service, step),
            Self::Count(count) => numbered((count.of)(run), count.whole, run, percent),
            Self::Failed(reason) => numbered(
                by(&run.orders.failed, reason),
                Some(&ACCEPTED),
                run,
                percent,
            ),
            Self::Refused(reason) => {
                numbered(by(&run.orders.refused, reason), Some(&USERS), run, percent)
            }
            Self::Invariant(check) => numbered(run.invariants.count(*check), None, run, false),
            Self::Rate((_, of)) => Some(Measured {
                value: of(run),
                text: format!("{:.1}/s", of(run)),
            }),
            Self::Share((_, of)) if percent => Some(Measured {
                value: of(run) * 100.0,
                text: format!("{:.2} %", of(run) * 100.0),
            }),
            Self::Share((_, of)) => Some(Measured {
                value: of(run),
                text: format!("{:.4}", of(run)),
            }),
            Self::Number((_, of)) => Some(Measured {
                value: of(run),
                text: format!("{:.1}", of(run)),
            }),
        }
    }
}

/// `p50`, `p99`, `p999`, `p99.9`, `max`, and the same after `service_`.
fn latency(name: &str) -> Option<(f64, bool)> {
    let (name, service) = match name.strip_prefix("service_") {
        Some(name) => (name, true),
        None => (name, false),
    };
    if name == "max" {
        return Some((1.0, service));
    }
    let digits = name.strip_prefix('p')?;
    let first = digits.bytes().next()?;
    if !first.is_ascii_digit() || first == b'0' && digits.len() > 1 {
        return None;
    }
    let quantile = if digits.contains('.') || digits.len() <= 2 {
        digits.parse::<f64>().ok()? / 100.0
    } else {
        // As in p999: the digits after "0.".
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(())?;
        format!("0.{digits}").parse().ok()?
    };
    // p100 would be read as 0.100: whoever means the slowest writes max.
    (digits != "100" && quantile < 1.0).then_some((quantile, service))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of a run fit a double exactly"
)]
fn milliseconds(run: &RunReport, quantile: f64, service: bool, step: &str) -> Option<Measured> {
    let distribution = run.histograms.get(step);
    let histogram = distribution.and_then(|both| {
        let text = if service {
            &both.service
        } else {
            &both.intended
        };
        distribution::decode(text).ok()
    });
    let value = match histogram {
        Some(histogram) if !histogram.is_empty() => {
            Some(histogram.value_at_quantile(quantile) as f64 / 1_000.0)
        }
        _ => tabled(run, quantile, service, step),
    }?;
    Some(Measured {
        value,
        text: format!("{value:.1} ms"),
    })
}

/// From the table, for runs without histograms.
#[expect(clippy::float_cmp, reason = "these come from the same digits")]
fn tabled(run: &RunReport, quantile: f64, service: bool, step: &str) -> Option<f64> {
    let table = if service {
        &run.service_ms
    } else {
        &run.latency_ms
    };
    let (_, row) = table.steps().into_iter().find(|(name, _)| *name == step)?;
    let known = [
        (0.5, row.p50),
        (0.9, row.p90),
        (0.99, row.p99),
        (0.999, row.p999),
        (1.0, row.max),
    ];
    let (_, value) = known.into_iter().find(|(known, _)| *known == quantile)?;
    (row.count > 0).then_some(value)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run fit a double exactly"
)]
fn numbered(
    count: u64,
    whole: Option<&'static Whole>,
    run: &RunReport,
    percent: bool,
) -> Option<Measured> {
    let Some(whole) = whole.filter(|_| percent) else {
        return Some(Measured {
            value: count as f64,
            text: grouped(count),
        });
    };
    let all = (whole.of)(run);
    let value = match all {
        // Nothing of nothing is no share at all.
        0 if count == 0 => 0.0,
        0 => return None,
        all => count as f64 / all as f64 * 100.0,
    };
    Some(Measured {
        value,
        text: format!(
            "{value:.2} % ({} of {})",
            grouped(count),
            many(all, whole.name)
        ),
    })
}

/// Every name there is.
fn known() -> Vec<&'static str> {
    let mut names = vec!["p50", "p90", "p99", "p999", "max", "service_p99"];
    names.extend(COUNTS.iter().map(|count| count.name));
    names.extend(["failed.REASON", "refused.REASON"]);
    names.extend(Check::ALL.iter().map(|check| check.as_str()));
    for figures in [RATES.as_slice(), &SHARES, &NUMBERS] {
        names.extend(figures.iter().map(|(name, _)| *name));
    }
    names
}
