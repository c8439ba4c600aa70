use super::*;
use crate::inventory::Check;
use crate::report::fixture;

fn shard(text: &str) -> Named {
    let mut run = fixture::report();
    run.settings.shard = Some(text.to_owned());
    (format!("{}.json", text.replace('/', "-")), run)
}

fn refused(runs: Vec<Named>) -> String {
    merge(runs).unwrap_err().to_string()
}

#[test]
fn counts_and_histograms_add_up_and_percentiles_stay_what_they_are() {
    let one = fixture::report();
    let both = merge(vec![shard("2/2"), shard("1/2")]).unwrap();
    assert_eq!(both.users, 2 * one.users);
    assert_eq!(both.orders.placed, 2 * one.orders.placed);
    assert_eq!(both.orders.failed_all(), 2 * one.orders.failed_all());
    assert_eq!(both.orders.refused_all(), 2 * one.orders.refused_all());
    assert_eq!(both.arrivals.offered, 2 * one.arrivals.offered);
    let (now, before) = (both.latency_ms.end_to_end, one.latency_ms.end_to_end);
    assert_eq!(now.count, 2 * before.count);
    assert!(
        (now.p99 - before.p99).abs() < f64::EPSILON,
        "the same twice over"
    );
    assert!((both.placed_per_s - 2.0 * one.placed_per_s).abs() < 1e-9);
    assert_eq!(both.settings.shard, None, "all are there");
    assert_eq!(both.thresholds.len(), one.thresholds.len());
    assert!((both.fairness.inversion_share - one.fairness.inversion_share).abs() < 1e-9);
}

#[test]
fn a_slow_shard_shows_in_the_percentiles_of_all() {
    let (name, mut slow) = shard("2/2");
    let mut histogram = distribution::empty();
    histogram.record_n(60_000_000, 1_500).unwrap();
    slow.histograms.get_mut("end_to_end").unwrap().intended = distribution::encode(&histogram);
    let both = merge(vec![shard("1/2"), (name, slow)]).unwrap();
    assert!(both.latency_ms.end_to_end.p99 > 59_000.0);
    assert!(both.latency_ms.end_to_end.p50 < 59_000.0);
}

#[test]
fn courses_are_laid_over_each_other_by_when_they_began() {
    let one = fixture::report();
    let (name, mut late) = shard("2/2");
    late.started_at += 2 * one.series.interval_ms;
    let both = merge(vec![shard("1/2"), (name, late)]).unwrap();
    let series = &both.series;
    assert_eq!(series.intervals(), one.series.intervals() + 2);
    assert_eq!(
        series.placed.iter().sum::<u64>(),
        2 * one.series.placed.iter().sum::<u64>()
    );
    assert_eq!(series.placed[..2], one.series.placed[..2]);
    assert_eq!(
        series.placed[2],
        one.series.placed[2] + one.series.placed[0]
    );
    assert_eq!(series.backlog.iter().max(), one.series.backlog.iter().max());
    assert_eq!(series.stock[0].available.len(), series.intervals());
    assert!(both.elapsed_s > one.elapsed_s);
}

#[test]
fn shorter_intervals_go_into_longer_ones() {
    let (name, mut coarse) = shard("2/2");
    coarse.series.interval_ms *= 2;
    let both = merge(vec![shard("1/2"), (name, coarse)]).unwrap();
    let one = fixture::report();
    assert_eq!(both.series.interval_ms, 2 * one.series.interval_ms);
    assert_eq!(
        both.series.offered.iter().sum::<u64>(),
        2 * one.series.offered.iter().sum::<u64>()
    );
}

#[test]
fn what_every_shard_found_in_the_store_counts_once() {
    let finding = |subject: &str, check| Finding {
        check,
        subject: subject.to_owned(),
        detail: String::new(),
        count: 1,
    };
    let broken = |text: &str, mine: &str| {
        let (name, mut run) = shard(text);
        run.findings = vec![
            finding("SKU-00001", Check::Oversold),
            finding(mine, Check::Undersold),
        ];
        run.invariants = Invariants::of(&run.findings);
        (name, run)
    };
    let both = merge(vec![broken("1/2", "A"), broken("2/2", "B")]).unwrap();
    assert_eq!(both.invariants.count(Check::Oversold), 1);
    assert_eq!(both.invariants.count(Check::Undersold), 2);
    assert_eq!(both.verdict, Verdict::Broken);
}

#[test]
fn what_is_not_two_shards_of_one_storm_is_refused() {
    assert!(refused(vec![shard("1/2")]).contains("nothing to merge"));
    let twice = refused(vec![shard("1/2"), shard("1/2")]);
    assert!(twice.contains("both of shard 1/2"), "{twice}");
    let whole = ("whole.json".to_owned(), fixture::report());
    assert!(refused(vec![shard("1/2"), whole]).contains("whole.json is no shard"));
    let numbers = refused(vec![shard("1/2"), shard("2/3")]);
    assert!(numbers.contains("different numbers"), "{numbers}");
    for (change, key) in [
        ((|run| run.seed = 99) as fn(&mut RunReport), "seed"),
        (
            |run| run.settings.store_id = uuid::Uuid::from_u128(9),
            "store_id",
        ),
        (|run| run.settings.hold_ms = 1, "hold_ms"),
        (|run| run.plan_digest.push('0'), "plan_digest"),
    ] {
        let (name, mut run) = shard("2/2");
        change(&mut run);
        let error = refused(vec![shard("1/2"), (name, run)]);
        assert!(error.contains(key) && error.contains("1-2.json"), "{error}");
    }
    let (name, mut bare) = shard("2/2");
    bare.histograms.clear();
    assert!(refused(vec![shard("1/2"), (name, bare)]).contains("2-2.json has no histograms"));
}

#[test]
fn missing_shards_are_said() {
    let some = merge(vec![shard("1/3"), shard("3/3")]).unwrap();
    assert_eq!(some.settings.shard.as_deref(), Some("1+3/3"));
    assert!(
        some.notes.iter().any(|note| note.contains("2/3")),
        "{:?}",
        some.notes
    );
}
