//! Text that goes into HTML: tables, times, shares.

pub(super) use crate::report::markup::escaped;

/// A table: its header, and rows of as many cells. All but the first column are numbers.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
        joined(cells.map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))))
    };
    let head = cells("th", &mut header.iter().copied());
    let body = joined(rows.iter().map(|row| {
        let row = cells("td", &mut row.iter().map(String::as_str));
        format!("<tr>{row}</tr>\n")
    }));
    format!(
        "<div class=\"scroll\"><table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>"
    )
}

/// A time of the run: `3.2 s`.
pub(super) fn at(seconds: f64) -> String {
    if seconds >= 100.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{seconds:.1} s")
    }
}

/// A rate without its fraction: `12,500`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no rate is negative, and those beyond 2^64 are shown as that"
)]
pub(super) fn whole(rate: f64) -> String {
    crate::terminal::grouped(rate.round() as u64)
}

/// A share: `0.5 %`, `80 %`.
pub(super) fn share(of: f64) -> String {
    let percent = of * 100.0;
    if percent == 0.0 || percent >= 10.0 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// All of it, one after the other.
pub(super) fn joined(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().collect::<Vec<String>>().concat()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run fit a double exactly"
)]
pub(super) fn double(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup() {
        assert_eq!(
            escaped("<b a='\"'>&\u{1b}"),
            "&lt;b a=&#39;&quot;&#39;&gt;&amp;\u{fffd}"
        );
        let table = table(&["a"], &[vec!["<script>".to_owned()]]);
        assert!(table.contains("<td>&lt;script&gt;</td>"), "{table}");
    }
}
