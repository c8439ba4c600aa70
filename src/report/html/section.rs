//! A part of the page: a title, one sentence that reads the chart, the chart, and its data.

use super::text::{escaped, joined, table};

/// A part of the page.
pub(super) struct Section {
    pub(super) title: &'static str,
    /// One sentence, as text.
    pub(super) reading: String,
    /// Class and name of what is drawn.
    pub(super) legend: &'static [(&'static str, &'static str)],
    /// Markup.
    pub(super) chart: String,
    pub(super) header: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
    /// Whether it takes half of a wide page.
    pub(super) half: bool,
}

impl Section {
    pub(super) fn markup(&self) -> String {
        let legend =
            joined(self.legend.iter().map(|(class, name)| {
                format!("<li><i class=\"{class}\"></i>{}</li>", escaped(name))
            }));
        let legend = if legend.is_empty() {
            legend
        } else {
            format!("<ul class=\"legend\">{legend}</ul>")
        };
        let data = if self.rows.is_empty() {
            String::new()
        } else {
            format!(
                "<details><summary>The data</summary>{}</details>",
                table(&self.header, &self.rows)
            )
        };
        format!(
            "<section class=\"card{}\"><h2>{}</h2><p class=\"reading\">{}</p>{legend}{}{data}</section>\n",
            if self.half { " half" } else { "" },
            escaped(self.title),
            prose(&self.reading),
            self.chart,
        )
    }
}

/// A sentence in which no number is parted from its unit.
pub(super) fn prose(text: &str) -> String {
    escaped(text)
        .replace(" %", "&nbsp;%")
        .replace(" ms", "&nbsp;ms")
}

/// Panels of which one is shown, chosen by radio buttons: without a script, and without one to be missed.
pub(super) fn tabs(group: &str, panels: &[(&str, String)]) -> String {
    let inputs = joined(panels.iter().enumerate().map(|(number, (name, _))| {
        let checked = if number == 0 { " checked" } else { "" };
        format!(
            "<input type=\"radio\" name=\"{group}\" id=\"{group}{number}\"{checked}><label for=\"{group}{number}\">{}</label>",
            escaped(name)
        )
    }));
    let panels =
        joined((panels.iter()).map(|(_, markup)| format!("<div class=\"panel\">{markup}</div>")));
    format!("<div class=\"tabs\">{inputs}{panels}</div>")
}
