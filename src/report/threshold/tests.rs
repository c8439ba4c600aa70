use super::Threshold;
use crate::report::{RunReport, ThresholdResult, fixture};

fn judged(text: &str) -> ThresholdResult {
    text.parse::<Threshold>().unwrap().judge(&fixture::report())
}

fn refused(text: &str) -> String {
    text.parse::<Threshold>().unwrap_err().to_string()
}

#[test]
fn what_a_run_keeps_to_holds_and_what_it_does_not_is_missed() {
    // The run of the fixture: 2,000 buyers, 1,500 orders, 1,200 placed, 200 declined, 100 sold out, 500 refused.
    for (text, ok, measured) in [
        ("placed>=1200", true, "1,200"),
        ("placed>1200", false, "1,200"),
        (
            "placed>=80%",
            true,
            "80.00 % (1,200 of 1,500 accepted orders)",
        ),
        (
            "failed<20%",
            false,
            "20.00 % (300 of 1,500 accepted orders)",
        ),
        (
            "failed <= 20 %",
            true,
            "20.00 % (300 of 1,500 accepted orders)",
        ),
        ("failed.declined<200", false, "200"),
        ("failed.declined!=199", true, "200"),
        ("failed.expired==0", true, "0"),
        (
            "refused.sold_out<=25%",
            true,
            "25.00 % (500 of 2,000 buyers)",
        ),
        ("undersold==0", true, "0"),
        ("placed_per_s>100/s", true, "120.0/s"),
        ("decided_per_s>1_000", false, "150.0/s"),
        ("inversion_share<0.1", true, "0.0300"),
        ("inversion_share<3%", false, "3.00 %"),
        ("elapsed_s<11", true, "10.0"),
    ] {
        let result = judged(text);
        assert_eq!(
            (result.ok, result.measured.as_str()),
            (ok, measured),
            "{text}"
        );
        assert_eq!(result.threshold, text);
    }
}

#[test]
fn percentiles_are_of_a_step_and_may_be_any() {
    for text in [
        "p50<=20ms for add_to_cart",
        "p95<1s for place_order",
        "p99.9<1m for end_to_end",
        "service_p99<1s for place_order",
        "max<10m for end_to_end",
    ] {
        let result = judged(text);
        assert!(
            result.ok && result.measured.ends_with(" ms"),
            "{text}: {result:?}"
        );
    }
    assert!(!judged("p99<1ms for place_order").ok);
}

#[test]
fn without_histograms_the_table_is_asked_and_what_was_not_measured_is_missed() {
    let mut report = fixture::report();
    report.histograms.clear();
    let judge = |text: &str, report: &RunReport| text.parse::<Threshold>().unwrap().judge(report);
    assert!(judge("p999<10m for end_to_end", &report).ok);
    assert_eq!(
        judge("p95<10m for end_to_end", &report).measured,
        "nothing was measured"
    );
    report.latency_ms.end_to_end.count = 0;
    assert!(!judge("p999<10m for end_to_end", &report).ok);
}

#[test]
fn what_is_wrong_is_named_with_what_can_be_used() {
    for (text, why) in [
        ("", "compares nothing"),
        ("p99", "compares nothing"),
        ("failed=1", "by none of"),
        ("p99<50ms", "for place_order"),
        (
            "p99<50ms for checkout",
            "add_to_cart, place_order, end_to_end",
        ),
        ("p99<50 for place_order", "50"),
        ("p99<50msec for place_order", "50ms"),
        ("p100<1s for place_order", "no figure `p100`"),
        ("failed<1% for place_order", "leave out `for place_order`"),
        ("faild<1%", "placed, failed"),
        ("failed.nonsense<1%", "sold_out, held"),
        ("placed.declined<1%", "only failed and refused"),
        ("undersold<1%", "leave out the %"),
        ("failed<many", "neither a number nor a share"),
        ("failed<-1", "neither a number nor a share"),
        ("placed_per_s>fast", "1000/s"),
        ("units_sold>x", "no number"),
    ] {
        let error = refused(text);
        assert!(error.contains(why), "{text}: {error}");
    }
}
