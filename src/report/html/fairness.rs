//! Who got the contended items, and what was held for nothing.

use super::scale::Linear;
use super::section::Section;
use super::svg::{Anchor, Drawing, Frame, HALF, NARROW, short};
use super::text::{double, share};
use crate::report::{Fairness, ItemFairness, RunReport};
use crate::terminal::{grouped, many};

/// How high a row is.
const ROW: f64 = 26.0;

/// Where the bars begin and end, beside the names and the shares.
const LEFT: f64 = 92.0;

/// None for runs of versions that did not measure it.
pub(super) fn section(report: &RunReport) -> Option<Section> {
    let fairness = &report.fairness;
    if *fairness == Fairness::default() {
        return None;
    }
    let chart = if fairness.items.is_empty() {
        String::new()
    } else {
        format!(
            "<div class=\"wide\">{}</div><div class=\"narrow\">{}</div>",
            chart(&fairness.items, HALF.width),
            chart(&fairness.items, NARROW.width)
        )
    };
    let mut rows: Vec<Vec<String>> = (fairness.items.iter())
        .map(|item| {
            vec![
                item.sku.to_string(),
                grouped(item.winners),
                grouped(item.losers),
                share(item.inversion_share),
            ]
        })
        .collect();
    rows.extend(waste(fairness));
    Some(Section {
        title: "Fairness and waste",
        reading: reading(fairness),
        legend: if fairness.items.is_empty() {
            &[]
        } else {
            &[("area placed", "got it"), ("area refused", "left without")]
        },
        chart,
        header: vec!["item", "got it", "left without", "inversions"],
        rows,
        half: true,
    })
}

fn waste(fairness: &Fairness) -> Vec<Vec<String>> {
    let row =
        |name: &str, value: String| vec![name.to_owned(), value, String::new(), String::new()];
    vec![
        row("inversions, of all pairs", share(fairness.inversion_share)),
        row(
            "units that went to the top 1 % of buyers",
            share(fairness.top_percent_share),
        ),
        row(
            "unit-seconds held and not sold",
            format!("{:.1}", fairness.idle_unit_seconds),
        ),
        row(
            "carts refused: sold out",
            grouped(fairness.refused_sold_out),
        ),
        row("carts refused: all held", grouped(fairness.refused_held)),
        row(
            "of those, of units that came free",
            grouped(fairness.refused_held_released),
        ),
    ]
}

pub(super) fn reading(fairness: &Fairness) -> String {
    let order = match fairness.inversion_share {
        _ if fairness.items.is_empty() => "No item had both winners and losers".to_owned(),
        inversions => format!(
            "In {} of all pairs of a winner and a loser the later buyer won, {}",
            share(inversions),
            match inversions {
                share if share < 0.05 => "which is close to first come, first served",
                share if share < 0.35 => "so that being early helped, and was no guarantee",
                _ => "which is close to a lottery",
            }
        ),
    };
    let held = match fairness.refused_held {
        0 => "nobody was refused what others only held".to_owned(),
        held => format!(
            "{} refused while all was held, {} of them for units that came free in the end",
            many(held, "cart"),
            grouped(fairness.refused_held_released)
        ),
    };
    format!("{order}; {held}.")
}

fn chart(items: &[ItemFairness], width: f64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "twelve items at most")]
    let height = ROW * items.len() as f64 + 20.0;
    let most = items
        .iter()
        .map(|item| item.winners + item.losers)
        .max()
        .unwrap_or(0);
    let mut drawing = Drawing::new(Frame { width, height }, "Winners and losers by item");
    let scale = Linear::new(double(most), LEFT, width - 64.0);
    drawing.text(width, 10.0, Anchor::End, "unit", "inversions");
    let mut y = 18.0;
    for item in items {
        let name: String = item.sku.as_str().chars().take(13).collect();
        drawing.text(LEFT - 8.0, y + 13.0, Anchor::End, "tick", &name);
        let text = format!(
            "{}\n{} got it\n{} left without\n{} inversions",
            item.sku,
            grouped(item.winners),
            grouped(item.losers),
            share(item.inversion_share)
        );
        let [from, middle, to] =
            [0, item.winners, item.winners + item.losers].map(|count| scale.place(double(count)));
        drawing.bar(from, y, middle - from, ROW - 8.0, "area placed", &text);
        drawing.bar(middle, y, to - middle, ROW - 8.0, "area refused", &text);
        if middle - from > 36.0 {
            drawing.text(
                middle - 5.0,
                y + 13.0,
                Anchor::End,
                "inside",
                &short(double(item.winners)),
            );
        }
        drawing.text(
            width,
            y + 13.0,
            Anchor::End,
            "tick",
            &share(item.inversion_share),
        );
        y += ROW;
    }
    drawing.done()
}
