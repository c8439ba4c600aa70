//! Tables: drawn by comfy-table on a terminal, plain aligned text elsewhere.

use comfy_table::{Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, presets};

/// Narrower terminals get lines that run over: breaking every cell helps nobody.
const WIDTH_LEAST: u16 = 60;

/// Rows under a header. A column whose header begins with `>` is aligned to the right; only one that begins with `~`
/// may be broken into several lines, so that ids and SKUs can be copied.
#[derive(Debug, Clone)]
pub struct Table {
    header: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone)]
struct Column {
    name: &'static str,
    right: bool,
    breaks: bool,
}

impl Table {
    /// A table with these columns and no rows.
    pub fn new(header: &[&'static str]) -> Self {
        let column = |text: &'static str| Column {
            name: text.trim_start_matches(['>', '~']),
            right: text.starts_with('>'),
            breaks: text.starts_with('~'),
        };
        Self {
            header: header.iter().map(|name| column(name)).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row: one text per column.
    ///
    /// # Panics
    /// When it has more or fewer cells than there are columns.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| printable(&cell)).collect();
        assert_eq!(cells.len(), self.header.len(), "one cell per column");
        self.rows.push(cells);
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As it looks on a terminal of so many columns.
    pub(super) fn drawn(&self, width: Option<u16>, bold: bool) -> String {
        let alignment = |column: &Column| {
            if column.right {
                CellAlignment::Right
            } else {
                CellAlignment::Left
            }
        };
        let mut table = comfy_table::Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY);
        if let Some(width) = width {
            table.set_width(width);
        }
        let wide = table.width().is_some_and(|width| width >= WIDTH_LEAST);
        table.set_content_arrangement(if wide {
            ContentArrangement::Dynamic
        } else {
            ContentArrangement::Disabled
        });
        table.set_header(self.header.iter().map(|column| {
            let cell = Cell::new(column.name).set_alignment(alignment(column));
            if bold {
                cell.add_attribute(Attribute::Bold)
            } else {
                cell
            }
        }));
        for row in &self.rows {
            table.add_row(
                row.iter()
                    .zip(&self.header)
                    .map(|(cell, column)| Cell::new(cell).set_alignment(alignment(column))),
            );
        }
        for (index, column) in self.header.iter().enumerate() {
            if let Some(drawn) = table.column_mut(index).filter(|_| !column.breaks) {
                drawn.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        if bold {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.to_string()
    }

    /// As it looks in a pipe: columns two spaces apart, nothing else, no spaces at line ends.
    pub(super) fn plain(&self) -> String {
        let header = self.header.iter().map(|column| column.name.to_owned());
        let lines: Vec<Vec<String>> = std::iter::once(header.collect())
            .chain(self.rows.iter().cloned())
            .collect();
        let width = |text: &str| text.chars().count();
        let widths: Vec<usize> = (0..self.header.len())
            .map(|index| {
                let cells = lines.iter().map(|line| width(&line[index]));
                cells.max().unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for line in &lines {
            let cells: Vec<String> = line
                .iter()
                .zip(&widths)
                .zip(&self.header)
                .map(|((cell, width), column)| {
                    if column.right {
                        format!("{cell:>width$}")
                    } else {
                        format!("{cell:<width$}")
                    }
                })
                .collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text.pop();
        text
    }
}

/// Text without control characters: names come from files, and a terminal obeys escapes.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_columns_are_aligned_and_harmless() {
        let mut table = Table::new(&["sku", ">price", "name"]);
        table.row(["A", "1.00", "é"].map(str::to_owned));
        table.row(["LONGER", "1000.00", "\u{1b}[31mred"].map(str::to_owned));
        assert_eq!(
            table.plain(),
            "sku       price  name\nA          1.00  é\nLONGER  1000.00  \u{fffd}[31mred"
        );
        assert!(!table.drawn(Some(80), false).contains('\u{1b}'));
    }

    #[test]
    fn only_text_is_broken_and_only_where_there_is_room_to() {
        let mut table = Table::new(&["order", "~detail"]);
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        table.row([id.to_owned(), "many words ".repeat(20)]);
        let drawn = table.drawn(Some(70), false);
        assert!(drawn.contains(id) && drawn.lines().count() > 5, "{drawn}");
        for width in [0, 20] {
            let drawn = table.drawn(Some(width), false);
            assert!(drawn.contains(id) && drawn.lines().count() == 5, "{drawn}");
        }
    }
}
