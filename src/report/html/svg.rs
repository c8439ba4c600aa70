//! What charts are drawn with: a frame with axes, lines, areas, and columns that tell what is in them.

use std::fmt::Write as _;

use super::scale::{Linear, Log};
use super::text::{at, escaped};
use crate::report::StageBand;

/// How large a chart is, in CSS pixels where it is shown at its own size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Over the whole page.
pub(super) const FULL: Frame = Frame {
    width: 1_060.0,
    height: 300.0,
};
/// Over half of it.
pub(super) const HALF: Frame = Frame {
    width: 506.0,
    height: 260.0,
};
/// On a phone.
pub(super) const NARROW: Frame = Frame {
    width: 330.0,
    height: 240.0,
};

/// Where drawings begin, beside their axis.
pub(super) const LEFT: f64 = 56.0;

/// Where drawings begin, below the unit of their axis.
pub(super) const TOP: f64 = 18.0;

impl Frame {
    pub(super) const fn right(&self) -> f64 {
        self.width - 38.0
    }
    pub(super) const fn bottom(&self) -> f64 {
        self.height - 36.0
    }

    /// How many ticks have room on the axis of time.
    fn ticks(&self) -> u32 {
        if self.width < 400.0 {
            4
        } else if self.width < 700.0 {
            6
        } else {
            10
        }
    }
}

/// A drawing under way.
pub(super) struct Drawing {
    frame: Frame,
    svg: String,
}

/// Where a text stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Drawing {
    /// Begins a drawing; `label` is what it shows, for those who do not see it.
    pub(super) fn new(frame: Frame, label: &str) -> Self {
        let svg = format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
            frame.width,
            frame.height,
            escaped(label)
        );
        Self { frame, svg }
    }

    pub(super) fn done(mut self) -> String {
        self.svg.push_str("</svg>\n");
        self.svg
    }

    /// Adds markup made of numbers and fixed words.
    fn add(&mut self, markup: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.svg.write_fmt(markup);
    }

    pub(super) fn text(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>\n"
        ));
    }

    pub(super) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, class: &str) {
        self.add(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" class=\"{class}\"/>\n"
        ));
    }

    fn rule(&mut self, x1: f64, y1: f64, x2: f64, y2: f64, class: &str) {
        self.add(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"{class}\"/>\n"
        ));
    }

    pub(super) fn path(&mut self, class: &str, d: &str) {
        if !d.is_empty() {
            self.add(format_args!("<path class=\"{class}\" d=\"{d}\"/>\n"));
        }
    }

    /// A line through points; it is broken where there is none, and a dot where there is only one.
    pub(super) fn line(
        &mut self,
        class: &str,
        points: impl IntoIterator<Item = Option<(f64, f64)>>,
    ) {
        let mut d = String::new();
        // How many points there are since the last gap.
        let mut run = 0_usize;
        for point in points.into_iter().chain([None]) {
            let Some((x, y)) = point else {
                if run == 1 {
                    // A point without neighbours is a dot: a line of no length, with round ends.
                    d.push_str("h0");
                }
                run = 0;
                continue;
            };
            let command = if run == 0 { 'M' } else { 'L' };
            let _ = write!(d, "{command}{x:.1} {y:.1}");
            run += 1;
        }
        self.path(class, &d);
    }

    /// The axis of time, from 0 to `end_s`, below the chart.
    pub(super) fn time(&mut self, end_s: f64) -> Linear {
        let frame = self.frame;
        let scale = Linear::new(end_s, LEFT, frame.right());
        self.across(&scale, "seconds since the first arrival", &|value| {
            format!("{}", (value * 1_000.0).round() / 1_000.0)
        });
        scale
    }

    /// An axis below the chart.
    pub(super) fn across(&mut self, scale: &Linear, unit: &str, name: &dyn Fn(f64) -> String) {
        let frame = self.frame;
        for value in scale.ticks(frame.ticks()) {
            let x = scale.place(value);
            self.rule(x, frame.bottom(), x, frame.bottom() + 4.0, "axis");
            self.text(
                x,
                frame.bottom() + 16.0,
                Anchor::Middle,
                "tick",
                &name(value),
            );
        }
        self.rule(LEFT, frame.bottom(), frame.right(), frame.bottom(), "axis");
        self.text(
            frame.right(),
            frame.bottom() + 31.0,
            Anchor::End,
            "unit",
            unit,
        );
    }

    /// An axis of numbers, beside the chart, with its unit above.
    pub(super) fn numbers(&mut self, most: f64, unit: &str) -> Linear {
        let frame = self.frame;
        let scale = Linear::rounded(most, 4, frame.bottom(), TOP);
        for value in scale.ticks(4) {
            let y = scale.place(value);
            self.rule(LEFT, y, frame.right(), y, "gridline");
            self.text(LEFT - 6.0, y + 4.0, Anchor::End, "tick", &short(value));
        }
        self.text(2.0, 9.0, Anchor::Start, "unit", unit);
        scale
    }

    /// An axis of latencies, by magnitude.
    pub(super) fn latencies(&mut self, low_us: u64, high_us: u64) -> Log {
        let frame = self.frame;
        let scale = Log::new(low_us, high_us, frame.bottom(), TOP);
        for (us, name) in scale.ticks() {
            let y = scale.place(us);
            self.rule(LEFT, y, frame.right(), y, "gridline");
            self.text(LEFT - 6.0, y + 4.0, Anchor::End, "tick", &name);
        }
        scale
    }

    /// An axis of numbers by magnitude, with its unit above: from the power of ten at or below `low` to the one at or
    /// above `high`.
    pub(super) fn magnitudes(&mut self, low: f64, high: f64, unit: &str) -> Log {
        let frame = self.frame;
        let scale = Log::of_powers(low, high, frame.bottom(), TOP);
        for (value, _) in scale.ticks() {
            let y = scale.place(value);
            self.rule(LEFT, y, frame.right(), y, "gridline");
            self.text(LEFT - 6.0, y + 4.0, Anchor::End, "tick", &short(value));
        }
        self.text(2.0, 9.0, Anchor::Start, "unit", unit);
        scale
    }

    /// The parts of the run with a rate of their own, behind everything.
    pub(super) fn stages(&mut self, stages: &[StageBand], end_s: f64) {
        let frame = self.frame;
        let time = Linear::new(end_s, LEFT, frame.right());
        for (number, stage) in stages.iter().enumerate() {
            let [from, to] = [stage.from_ms, stage.to_ms]
                .map(|ms| time.place((super::text::double(ms) / 1_000.0).min(end_s)));
            if to <= from {
                continue;
            }
            let class = if number % 2 == 0 {
                "band"
            } else {
                "band other"
            };
            self.rect(from, TOP, to - from, frame.bottom() - TOP, class);
            // A name that does not fit says nothing; the table of the data has it.
            #[expect(clippy::cast_precision_loss, reason = "the length of a name")]
            let width = stage.name.chars().count() as f64 * 6.5;
            if width < to - from {
                let middle = f64::midpoint(from, to);
                self.text(middle, TOP + 11.0, Anchor::Middle, "unit", &stage.name);
            }
        }
    }

    /// Columns over the whole height that tell what is in them, in front of everything.
    pub(super) fn columns(&mut self, columns: impl IntoIterator<Item = (f64, f64, String)>) {
        let (top, height) = (TOP, self.frame.bottom() - TOP);
        for (from, to, text) in columns {
            let (width, text) = ((to - from).max(1.0), escaped(&text));
            self.add(format_args!(
                "<rect x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" class=\"hit\"><title>{text}</title></rect>\n"
            ));
        }
    }

    /// A bar that tells what it is.
    pub(super) fn bar(&mut self, x: f64, y: f64, width: f64, height: f64, class: &str, text: &str) {
        let text = escaped(text);
        self.add(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" class=\"{class} hit\"><title>{text}</title></rect>\n"
        ));
    }
}

/// Draws a chart for wide screens and again for narrow ones, of which only one is shown.
pub(super) fn both(wide: Frame, draw: impl Fn(Frame) -> String) -> String {
    format!(
        "<div class=\"wide\">{}</div><div class=\"narrow\">{}</div>",
        draw(wide),
        draw(NARROW)
    )
}

/// How many columns of a course a chart has room for.
pub(super) fn columns_max(frame: Frame) -> usize {
    match frame.width {
        width if width < 400.0 => 60,
        width if width < 700.0 => 100,
        _ => 200,
    }
}

/// A number that fits beside an axis.
pub(super) fn short(value: f64) -> String {
    let (value, unit) = match value {
        value if value >= 1e6 => (value / 1e6, " M"),
        value if value >= 1e3 => (value / 1e3, " k"),
        value => (value, ""),
    };
    format!("{}{unit}", (value * 100.0).round() / 100.0)
}

/// `3.2–3.4 s`.
pub(super) fn between(from_s: f64, to_s: f64) -> String {
    format!("{from_s:.1} to {}", at(to_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beside_an_axis_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (2_500.0, "2.5 k"),
            (12_000.0, "12 k"),
            (1.5e6, "1.5 M"),
        ] {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn a_line_breaks_where_there_is_nothing() {
        let mut drawing = Drawing::new(NARROW, "a<b");
        drawing.line(
            "x",
            [Some((1.0, 2.0)), None, Some((3.0, 4.0)), Some((5.0, 6.0))],
        );
        let svg = drawing.done();
        assert!(svg.contains("d=\"M1.0 2.0h0M3.0 4.0L5.0 6.0\""), "{svg}");
        assert!(svg.contains("aria-label=\"a&lt;b\""), "{svg}");
    }
}
