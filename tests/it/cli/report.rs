//! Storms with everything that judges and tells them: thresholds, baselines, files, shards, repeats.

use std::path::Path;

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;

use super::Place;

/// A storm that is over in a moment.
const TINY: [&str; 9] = [
    "simulate", "--users", "60", "--items", "5", "--stock", "20", "--seed", "3",
];

fn tiny<'a>(args: &[&'a str]) -> Vec<&'a str> {
    TINY.iter().chain(args).copied().collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Fails unless every element is closed in its turn.
fn is_well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    let body = xml.split_once("?>").unwrap().1;
    assert_eq!(body.matches('<').count(), body.matches('>').count());
    for tag in body.split('<').skip(1) {
        let tag = tag.split_once('>').unwrap().0;
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{xml}");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}: {xml}");
}

/// The values of each step in an interval log.
fn logged(bytes: &[u8], step: &str) -> u64 {
    IntervalLogIterator::new(bytes)
        .filter_map(|entry| match entry.unwrap() {
            LogEntry::Interval(interval) => Some(interval),
            _ => None,
        })
        .filter(|interval| interval.tag().is_some_and(|tag| tag.as_str() == step))
        .map(|interval| {
            let packed = base64::engine::general_purpose::STANDARD
                .decode(interval.encoded_histogram())
                .unwrap();
            let histogram: Histogram<u64> = Deserializer::new()
                .deserialize(&mut packed.as_slice())
                .unwrap();
            histogram.len()
        })
        .sum()
}

#[test]
fn a_storm_is_told_in_every_format_and_each_can_be_made_again() {
    let place = Place::new();
    let names = [
        "run.json", "run.html", "run.csv", "run.hlog", "run.md", "run.xml",
    ];
    let mut args = tiny(&["--threshold", "undersold==0", "--threshold", "placed>=1"]);
    for name in names {
        args.extend(["--report-file", name]);
    }
    let stdout = place.ok(&args);
    assert!(stdout.starts_with("verdict: ok"), "{stdout}");
    assert!(stdout.contains("threshold ok: placed>=1: "), "{stdout}");
    assert!(
        stdout.contains("\n  oms simulate --users 60 --items 5"),
        "{stdout}"
    );
    let report = read(&place.path("run.json"));
    assert_eq!(report["thresholds"][0]["ok"], true, "{report}");
    let again = names.map(|name| format!("again-{name}"));
    let mut args = vec!["report", "render", "run.json"];
    for name in &again {
        args.extend(["--output", name]);
    }
    place.ok(&args);
    for (name, again) in names.iter().zip(&again) {
        let [one, other] = [*name, again].map(|name| std::fs::read(place.path(name)).unwrap());
        assert!(!one.is_empty(), "{name} is empty");
        assert!(one == other, "{name} is made otherwise the second time");
    }
    assert_eq!(place.ok(&["report", "render", "run.json"]), stdout);
    let text = |name| std::fs::read_to_string(place.path(name)).unwrap();
    is_well_formed(&text("run.xml"));
    assert!(text("run.md").starts_with("# Storm: ok"));
    let html = text("run.html");
    assert!(
        !html.contains("src=") && !html.contains("href="),
        "it needs nothing else"
    );
    let rows = csv::Reader::from_path(place.path("run.csv"))
        .unwrap()
        .records()
        .count();
    let intervals = report["series"]["offered"].as_array().unwrap().len();
    assert_eq!(rows, intervals);
    let log = std::fs::read(place.path("run.hlog")).unwrap();
    assert!(rows > 0 && !log.is_empty());
    assert_eq!(
        Value::from(logged(&log, "end_to_end")),
        report["latency_ms"]["end_to_end"]["count"]
    );
}

#[test]
fn a_missed_threshold_is_exit_code_4_and_said_in_words() {
    let place = Place::new();
    let done = place.run(&tiny(&[
        "--threshold",
        "placed>1_000_000",
        "--report-file",
        "run.xml",
    ]));
    assert_eq!(done.code, Some(4), "{done:?}");
    assert!(
        done.stdout.contains("threshold MISSED: placed>1_000_000: "),
        "{done:?}"
    );
    let xml = std::fs::read_to_string(place.path("run.xml")).unwrap();
    assert!(xml.contains("<failure message=\"measured "), "{xml}");
    let error = place.fails(2, &tiny(&["--threshold", "faild<1%"]));
    assert!(
        error.contains("there is no figure `faild`, but "),
        "{error}"
    );
}

#[test]
fn slower_than_the_baseline_is_exit_code_5_and_other_settings_are_2() {
    let place = Place::new();
    let error = place.fails(2, &tiny(&["--baseline", "main"]));
    assert!(error.contains("there is no baseline main"), "{error}");
    place.ok(&tiny(&["--save-baseline", "main"]));
    let path = place.data_dir().join("baselines/main.json");
    let mut baseline = read(&path);
    for key in ["placed_per_s", "decided_per_s"] {
        baseline[key] = (baseline[key].as_f64().unwrap() * 1_000.0).into();
    }
    std::fs::write(&path, baseline.to_string()).unwrap();
    let done = place.run(&tiny(&["--baseline", "main", "--noise", "50%"]));
    assert_eq!(done.code, Some(5), "{done:?}");
    assert!(
        done.stdout.contains("baseline: SLOWER than main"),
        "{done:?}"
    );
    // What is met comes first.
    let both = ["--baseline", "main", "--threshold", "placed>1_000_000"];
    assert_eq!(place.run(&tiny(&both)).code, Some(4));
    let error = place.fails(2, &tiny(&["--baseline", "main", "--hold", "5s"]));
    assert!(error.contains("hold_ms is 600000 and 5000"), "{error}");
    let orders = place.json(&["audit", "--full"])["orders"].clone();
    let error = place.fails(2, &tiny(&["--baseline", "main", "--zipf", "0.5"]));
    assert!(error.contains("plan_digest"), "{error}");
    let error = place.fails(2, &tiny(&["--baseline", "main", "--hold", "6s"]));
    assert!(error.contains("hold_ms is 600000 and 6000"), "{error}");
    let error = place.fails(2, &tiny(&["--baseline", "main", "--retry", "0.1:2s"]));
    assert!(error.contains("retry is not given and `10%:2s`"), "{error}");
    assert_eq!(
        place.json(&["audit", "--full"])["orders"],
        orders,
        "nobody has bought for nothing"
    );
}

#[test]
fn the_shards_of_a_storm_are_its_buyers_and_merge_into_one_result() {
    let place = Place::new();
    let whole = place.json(&TINY);
    let shards = ["1/2", "2/2"].map(|shard| {
        let file = format!("{}.json", shard.replace('/', "-"));
        place.json(&tiny(&[
            "--shard",
            shard,
            "--report-file",
            &file,
            "--threshold",
            "undersold==0",
        ]))
    });
    let number = |report: &Value, pointer: &str| report.pointer(pointer).unwrap().as_u64().unwrap();
    for shard in &shards {
        assert_eq!(shard["plan_digest"], whole["plan_digest"]);
        assert_eq!(shard["users"], 30);
    }
    let merged = place.json(&["report", "merge", "1-2.json", "2-2.json"]);
    assert_eq!(merged["users"], whole["users"]);
    assert_eq!(
        merged["thresholds"].as_array().unwrap().len(),
        1,
        "{merged}"
    );
    for pointer in [
        "/users",
        "/orders/accepted",
        "/orders/placed",
        "/orders/attempts",
        "/units_sold",
        "/latency_ms/end_to_end/count",
    ] {
        let sum: u64 = shards.iter().map(|shard| number(shard, pointer)).sum();
        assert_eq!(number(&merged, pointer), sum, "{pointer}");
    }
    let error = place.fails(2, &["report", "merge", "1-2.json", "1-2.json"]);
    assert!(error.contains("both of shard 1/2"), "{error}");
}

#[test]
fn a_report_says_what_made_the_load_and_shards_of_another_one_are_refused() {
    let place = Place::new();
    let at = |rate, shard, file| {
        let seconds = [
            "simulate",
            "--rate",
            rate,
            "--duration",
            "1s",
            "--items",
            "5",
        ];
        let crowd = [
            "--restock",
            "0s:top2:5",
            "--shard",
            shard,
            "--report-file",
            file,
        ];
        place.json(&[seconds.as_slice(), &crowd].concat())
    };
    let one = at("40", "1/2", "1.json");
    assert_eq!(one["settings"]["rate"], "40/s", "{one}");
    assert_eq!(one["settings"]["arrivals"], "poisson");
    assert_eq!(one["settings"]["duration"], "1s");
    assert_eq!(one["settings"]["restock"][0], "0s:top2:+5");
    assert!(one["settings"].get("think").is_none(), "{one}");
    at("40", "2/2", "2.json");
    let merged = place.json(&["report", "merge", "1.json", "2.json"]);
    assert_eq!(merged["settings"]["rate"], "40/s", "{merged}");
    at("50", "2/2", "2.json");
    let error = place.fails(2, &["report", "merge", "1.json", "2.json"]);
    assert!(error.contains("rate is `40/s` and `50/s`"), "{error}");
}

#[test]
fn repeats_tell_of_the_median_with_the_figures_of_each() {
    let place = Place::new();
    let report = place.json(&tiny(&["--repeat", "3"]));
    let repeats = report["repeats"].as_array().unwrap();
    assert_eq!(repeats.len(), 3, "{report}");
    let mut rates: Vec<f64> = repeats
        .iter()
        .map(|run| run["decided_per_s"].as_f64().unwrap())
        .collect();
    rates.sort_by(f64::total_cmp);
    assert_eq!(report["decided_per_s"].as_f64(), Some(rates[1]));
    assert!(
        repeats
            .iter()
            .all(|run| run["placed"].as_u64().unwrap() > 0),
        "{report}"
    );
    place.fails(2, &tiny(&["--repeat", "0"]));
}

#[test]
fn a_file_that_is_no_report_is_refused_with_its_name() {
    let place = Place::new();
    place.write("odd.json", "{\"users\": 1}");
    let error = place.fails(1, &["report", "render", "odd.json"]);
    assert!(
        error.contains("odd.json") && error.contains("missing field"),
        "{error}"
    );
    assert!(
        place
            .fails(1, &["report", "render", "none.json"])
            .contains("none.json")
    );
    let error = place.fails(2, &["report", "render", "odd.json", "--output", "a.txt"]);
    assert!(error.contains(".hlog"), "{error}");
}
