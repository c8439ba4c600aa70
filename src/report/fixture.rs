//! A run as a storm could have measured it, for tests: a rush at three seconds, a queue, and what it did to latencies.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use uuid::Uuid;

use super::{
    Arrivals, Distribution, Fairness, Invariants, ItemFairness, LatencyTable, OrderCounts,
    RunReport, RunSettings, Series, StageBand, StockCourse, Threshold, Verdict, distribution,
};
use crate::domain::{Reason, Sku};

/// Intervals of 100 ms.
const INTERVALS: u64 = 100;

/// 2,000 buyers in ten seconds: 1,500 orders, 1,200 placed, 200 declined, 100 sold out; 500 buyers refused.
pub fn report() -> RunReport {
    storm(1)
}

/// The same with `weight` times as many of everything but time.
pub fn storm(weight: u64) -> RunReport {
    let latency: BTreeMap<String, Vec<Histogram<u64>>> = [
        ("add_to_cart", 20, 900),
        ("place_order", 15, 9_000),
        ("end_to_end", 15, 12_000),
    ]
    .map(|(step, count, us)| (step.to_owned(), intervals(count * weight, us)))
    .into();
    let whole = |step: &str| {
        let mut sum = distribution::empty();
        for part in &latency[step] {
            sum.add(part).unwrap();
        }
        sum
    };
    let table = LatencyTable {
        add_to_cart: (&whole("add_to_cart")).into(),
        place_order: (&whole("place_order")).into(),
        end_to_end: (&whole("end_to_end")).into(),
    };
    let histograms = latency.keys().map(|step| {
        let both = Distribution {
            service: distribution::encode(&quicker(&whole(step))),
            intended: distribution::encode(&whole(step)),
        };
        (step.clone(), both)
    });
    let mut report = RunReport {
        command: "oms simulate --users 2000 --seed 7".to_owned(),
        started_at: 1_760_000_000_000,
        users: 2_000 * weight,
        seed: 7,
        plan_digest: "7a0a32b6441c92018b595201b0e08326".to_owned(),
        elapsed_s: 10.0,
        orders: orders(weight),
        units_sold: 1_800 * weight,
        placed_per_s: 120.0 * double(weight),
        decided_per_s: 150.0 * double(weight),
        latency_ms: table,
        service_ms: LatencyTable {
            place_order: (&quicker(&whole("place_order"))).into(),
            ..table
        },
        arrivals: Arrivals {
            model: "open".to_owned(),
            offered: 2_010 * weight,
            late: 4 * weight,
            dropped: 10 * weight,
            lag_max_ms: 120,
            warmed_up: 0,
        },
        valid: true,
        thresholds: Vec::new(),
        histograms: histograms.collect(),
        series: series(&latency, weight),
        fairness: fairness(weight),
        baseline: None,
        repeats: Vec::new(),
        invariants: Invariants::of(&[]),
        awaiting_gateway: 0,
        refunds_due: 0,
        peak_rss_bytes: 96 << 20,
        processor_s: 2.75,
        verdict: Verdict::Ok,
        interrupted: false,
        findings: Vec::new(),
        findings_omitted: 0,
        notes: Vec::new(),
        trace: None,
        examples: Vec::new(),
        settings: settings(),
    };
    report.thresholds = ["undersold==0", "failed<25%", "p99<5s for place_order"]
        .map(|text| text.parse::<Threshold>().unwrap().judge(&report))
        .into();
    report
}

fn orders(weight: u64) -> OrderCounts {
    OrderCounts {
        accepted: 1_500 * weight,
        placed: 1_200 * weight,
        refused: [(Reason::SoldOut, 500 * weight)].into(),
        failed: [
            (Reason::Declined, 200 * weight),
            (Reason::SoldOut, 100 * weight),
        ]
        .into(),
        attempts: 2_000 * weight,
        ..OrderCounts::default()
    }
}

/// How much of the rush there is in an interval, from 0 to 1: a hill around 3.5 seconds.
fn rush(at: u64) -> f64 {
    let distance = (double(at) - 35.0) / 9.0;
    (-distance * distance).exp()
}

/// One histogram per interval; latencies rise with the rush, and each has its tail.
fn intervals(count: u64, base_us: u64) -> Vec<Histogram<u64>> {
    (0..INTERVALS)
        .map(|at| {
            let mut histogram = distribution::empty();
            for number in 0..count {
                // Spread evenly over the quantiles of a long tail.
                let quantile = (double(number) + 0.5) / double(count);
                let tail = (quantile / (1.0 - quantile)).powf(0.45);
                let us = double(base_us) * tail * (1.0 + 40.0 * rush(at));
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "microseconds"
                )]
                histogram.record(us as u64 + 1).unwrap();
            }
            histogram
        })
        .collect()
}

/// Half as long: what was measured from when each was sent.
fn quicker(histogram: &Histogram<u64>) -> Histogram<u64> {
    let mut half = distribution::empty();
    for value in histogram.iter_recorded() {
        half.record_n(value.value_iterated_to() / 2 + 1, value.count_at_value())
            .unwrap();
    }
    half
}

fn series(latency: &BTreeMap<String, Vec<Histogram<u64>>>, weight: u64) -> Series {
    let even = |total: u64| vec![total * weight / INTERVALS; usize::try_from(INTERVALS).unwrap()];
    let hill = |height: u64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        let of = |at| (double(height * weight) * rush(at)) as u64;
        (0..INTERVALS).map(of).collect::<Vec<u64>>()
    };
    let mut dropped = even(0);
    dropped[35] = 10 * weight;
    let mut offered = even(2_000);
    offered[35] += 10 * weight;
    let stage = |from_ms, to_ms, name: &str, rate| StageBand {
        from_ms,
        to_ms,
        name: name.to_owned(),
        rate,
    };
    Series {
        interval_ms: 100,
        offered,
        arrived: even(2_000),
        dropped,
        placed: even(1_200),
        failed: even(300),
        refused: even(500),
        in_flight: hill(420),
        backlog: hill(180),
        latency: (latency.iter())
            .map(|(step, parts)| {
                let texts = parts.iter().map(distribution::encode).collect();
                (step.clone(), texts)
            })
            .collect(),
        stages: vec![
            stage(0, 2_000, "ramp", 200.0),
            stage(2_000, 10_000, "200/s", 200.0),
        ],
        stock: (1..=3).map(|number| course(number, weight)).collect(),
    }
}

fn course(number: u32, weight: u64) -> StockCourse {
    let weight = i64::try_from(weight).unwrap();
    let left = |at: i64| (600 * weight - at * 10 * weight * i64::from(4 - number)).max(0);
    let intervals = i64::try_from(INTERVALS).unwrap();
    StockCourse {
        sku: Sku::synthetic(number),
        available: (0..intervals).map(left).collect(),
        blocked: (0..intervals).map(|at| left(at).min(40 * weight)).collect(),
    }
}

fn fairness(weight: u64) -> Fairness {
    let item = |number: u32, winners, losers, inversion_share| ItemFairness {
        sku: Sku::synthetic(number),
        winners: winners * weight,
        losers: losers * weight,
        inversion_share,
    };
    Fairness {
        inversion_share: 0.03,
        items: vec![item(1, 600, 450, 0.04), item(2, 400, 50, 0.01)],
        top_percent_share: 0.021,
        idle_unit_seconds: 45.5 * double(weight),
        refused_sold_out: 480 * weight,
        refused_held: 20 * weight,
        refused_held_released: 3 * weight,
    }
}

fn settings() -> RunSettings {
    RunSettings {
        version: "0.1.0".to_owned(),
        store_id: Uuid::from_u128(7),
        target: "in-process".to_owned(),
        payment_url: "simulated:?success=0.95".to_owned(),
        worker: true,
        items: 100,
        zipf: Some(1.0),
        lines: Some("1..3".to_owned()),
        quantity: Some("1..2".to_owned()),
        come_back: 3,
        hold_ms: 600_000,
        wait_ms: 180_000,
        in_flight_max: 420,
        ..RunSettings::default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn double(number: u64) -> f64 {
    number as f64
}
