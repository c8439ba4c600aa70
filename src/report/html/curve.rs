//! Lines over one axis, rates by magnitude, and the table of their figures.

use super::svg::{Drawing, FULL, Frame, LEFT, both};
use super::text::{escaped, joined, table};
use crate::report::Chart;

/// Classes of lines, one colour each.
const CLASSES: [&str; crate::report::LINES_MAX] = [
    "line series0",
    "line series1",
    "line series2",
    "line series3",
    "line series4",
    "line series5",
];

pub(super) fn body(chart: &Chart) -> String {
    let legend =
        joined(chart.lines.iter().zip(CLASSES).map(|(line, class)| {
            format!("<li><i class=\"{class}\"></i>{}</li>", escaped(line.name))
        }));
    format!(
        "<header><h1>{}</h1></header>\n<section class=\"card\"><p class=\"reading\">{}</p>\
         <ul class=\"legend\">{legend}</ul>{}</section>\n\
         <section class=\"card\"><h2>The data</h2>{}</section>\n\
         <section class=\"card\"><h2>To repeat it</h2><pre>{}</pre></section>\n",
        escaped(chart.title),
        escaped(chart.reading),
        both(FULL, |frame| draw(chart, frame)),
        table(&chart.header, &chart.rows),
        escaped(&chart.command)
    )
}

fn draw(chart: &Chart, frame: Frame) -> String {
    let points = || chart.lines.iter().flat_map(|line| &line.points);
    let values = || points().map(|point| point.1);
    let right = points().map(|point| point.0).fold(0.0, f64::max);
    let low = values().fold(f64::INFINITY, f64::min);
    let mut drawing = Drawing::new(frame, chart.title);
    let y = drawing.magnitudes(low, values().fold(1.0, f64::max), chart.y);
    let x = super::scale::Linear::new(right, LEFT, frame.right());
    drawing.across(&x, chart.x, &|value| {
        format!("{}", (value * 100.0).round() / 100.0)
    });
    for (line, class) in chart.lines.iter().zip(CLASSES) {
        let places = line
            .points
            .iter()
            .map(|(at, value)| Some((x.place(*at), y.place(*value))));
        drawing.line(class, places.collect::<Vec<_>>());
    }
    drawing.done()
}

#[cfg(test)]
mod tests {
    use super::super::chart_page;
    use crate::report::chart::tests::chart;

    #[test]
    fn every_line_is_drawn_and_nothing_becomes_markup() {
        let page = chart_page(&chart());
        for text in [
            "line series0",
            "line series1",
            "100 k",
            "<td>3,000</td>",
            "&lt;b&gt;",
        ] {
            assert!(page.contains(text), "{text}");
        }
        assert!(!page.contains("<b>"), "{page}");
        assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    }

    #[test]
    fn a_chart_of_nothing_is_a_page() {
        let mut empty = chart();
        empty.lines.clear();
        let page = chart_page(&empty);
        assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    }
}
