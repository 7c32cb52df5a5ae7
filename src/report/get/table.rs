//! Cells in columns, as kubectl lines them up.

use std::fmt::Write;

/// Least width of a column, and how far apart columns are (kubectl's tabwriter, 1.36).
const WIDTH_MIN: usize = 6;
const PADDING: usize = 3;

/// Lines of cells; all have as many.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    lines: Vec<Vec<String>>,
}

impl Table {
    /// Adds a line. A cell ends where its first line does.
    pub(super) fn line(&mut self, cells: Vec<String>) {
        self.lines.push(cells.into_iter().map(one_line).collect());
    }

    /// The lines, each column as wide as its widest cell; the last has no end.
    pub(super) fn text(&self) -> String {
        let columns = self.lines.first().map_or(0, Vec::len);
        let widest = |column: usize| {
            let cells = self.lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> =
            (0..columns).map(|at| (widest(at) + PADDING).max(WIDTH_MIN)).collect();
        let mut text = String::new();
        for line in &self.lines {
            for (at, cell) in line.iter().enumerate() {
                if at + 1 == line.len() {
                    text += cell;
                } else {
                    let _ = write!(text, "{cell:<width$}", width = widths[at]);
                }
            }
            text.push('\n');
        }
        text
    }
}

fn one_line(cell: String) -> String {
    match cell.find(['\n', '\r', '\u{c}']) {
        Some(end) => format!("{}...", &cell[..end]),
        None => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_three_apart_and_at_least_six_wide() {
        let mut table = Table::default();
        let line = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        table.line(line(["NAME", "ST", "AGE"]));
        table.line(line(["web-é", "", "2\n3"]));
        assert_eq!(table.text(), "NAME    ST    AGE\nweb-é         2...\n");
    }
}
