use super::course::Course;
use super::{backlog, delay, fairness, heatmap, outcomes, page, rates};
use crate::domain::Sku;
use crate::report::{RunReport, Series, StockCourse, fixture};

/// The elements of a page, each closed in its turn; panics when they are not.
fn check_markup(html: &str) {
    const VOID: [&str; 4] = ["meta", "input", "br", "!doctype"];
    let mut open: Vec<&str> = Vec::new();
    let body = html.split_once("<body>").unwrap().1;
    let (body, _) = body.rsplit_once("<script>").unwrap();
    for tag in body
        .split('<')
        .skip(1)
        .map(|rest| rest.split_once('>').unwrap().0)
    {
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/', '\n'])
            .next()
            .unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
}

#[test]
fn the_page_needs_nothing_else() {
    let html = page(&fixture::report());
    check_markup(&html);
    for text in ["src=", "href=", "@import", "url(", "http://", "https://"] {
        assert!(!html.contains(text), "{text}");
    }
    for text in [
        "1,200",
        "p99&lt;5s for place_order",
        "oms simulate --users 2000 --seed 7",
        "prefers-color-scheme",
    ] {
        assert!(html.contains(text), "{text}");
    }
}

#[test]
fn names_from_files_are_never_markup() {
    let mut report = fixture::report();
    let bad = "<script>alert(1)</script>";
    report.series.stock.push(StockCourse {
        sku: Sku::new(bad).unwrap(),
        available: vec![1, 0],
        blocked: vec![0, 0],
    });
    report.fairness.items[0].sku = Sku::new(bad).unwrap();
    report.settings.target = bad.to_owned();
    report.command = bad.to_owned();
    report.notes.push(bad.to_owned());
    report.series.stages[0].name = bad.to_owned();
    let html = page(&report);
    check_markup(&html);
    assert!(!html.contains("<script>alert"), "it is text");
    assert!(html.matches("&lt;script&gt;alert(1)").count() >= 5);
}

#[test]
fn a_run_of_nobody_or_without_a_course_is_a_page_too() {
    let mut report = fixture::report();
    report.series = Series::default();
    report.histograms.clear();
    check_markup(&page(&report));
    let empty: RunReport = serde_json::from_value(serde_json::json!({
        "users": 0, "seed": 1, "plan_digest": "", "elapsed_s": 0.0, "orders": {}, "units_sold": 0,
        "placed_per_s": 0.0, "decided_per_s": 0.0, "latency_ms": {}, "invariants": {},
        "verdict": "ok", "settings": {},
    }))
    .unwrap();
    check_markup(&page(&empty));
}

#[test]
fn every_chart_is_read_from_its_data() {
    let report = fixture::report();
    let course = Course::of(&report, 200);
    assert_eq!(
        backlog::reading(&course),
        "The backlog was largest at 3.5 s with 180 messages and was worked off by 5.1 s, with at most 420 buyers under way."
    );
    assert_eq!(
        delay::reading(&course),
        "Orders took longest at 3.5 s: half of them over 492 ms, one in a hundred over 2.2 s."
    );
    let latency = heatmap::reading(&course, "place_order");
    assert!(
        latency.starts_with("p99 of placeOrder rose from a usual "),
        "{latency}"
    );
    assert!(
        latency.ends_with(" at 3.5 s, when the backlog was 180."),
        "{latency}"
    );
    assert_eq!(
        outcomes::reading(&report, &course),
        "80 % of 1,500 accepted orders were placed, at best 120 per second at 0.0 s; most of those that failed did for declined (200)."
    );
    assert_eq!(
        rates::reading(&report, &course),
        "Of 2,010 arrivals that were due 10 (0.5 %) were left out since too many buyers were under way, most of them at 3.5 s, 4 (0.2 %) more than 100 ms late, by 120 ms at most; the most at once were 300 per second at 3.5 s."
    );
    let fair = fairness::reading(&report.fairness);
    assert!(
        fair.contains("3.0 %") && fair.contains("close to first come"),
        "{fair}"
    );
}

#[test]
fn where_nothing_was_measured_the_reading_says_so() {
    let mut report = fixture::report();
    report.series.latency.clear();
    report.series.backlog = vec![0; 100];
    let course = Course::of(&report, 200);
    assert_eq!(
        heatmap::reading(&course, "end_to_end"),
        "Nothing was measured of end to end."
    );
    assert_eq!(delay::reading(&course), "No order ended.");
    assert!(backlog::reading(&course).starts_with("Nothing was ever seen waiting"));
}
