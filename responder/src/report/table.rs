//! Tables: columns as wide as their widest cell and two spaces apart. No cell is cut, so a pipe gets the same as a terminal.

use std::fmt;

use super::text::{printable, width};

/// A table of text.
#[derive(Debug, Clone)]
pub(crate) struct TextTable {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl TextTable {
    /// A table with these columns.
    pub(crate) fn new(header: &[&str]) -> Self {
        Self {
            header: header.iter().map(|&name| name.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, with its cells made printable.
    pub(crate) fn row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(
            cells
                .into_iter()
                .map(|cell| printable(cell.as_ref()).into_owned())
                .collect(),
        );
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl fmt::Display for TextTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = || std::iter::once(&self.header).chain(&self.rows);
        let columns = lines().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|at| {
                lines()
                    .filter_map(|cells| cells.get(at))
                    .map(|cell| width(cell))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for cells in lines() {
            let mut line = String::new();
            for (cell, wide) in cells.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', wide - width(cell) + 2));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::TextTable;

    #[test]
    fn columns_are_as_wide_as_a_terminal_shows_them() {
        let mut table = TextTable::new(&["RULE", "TARGET", "NOTE"]);
        table.row(["Terminal shell", "pod/web/web-0", ""]);
        table.row(["漢字", "\u{1b}[2J", "wide"]);
        insta::assert_snapshot!(table, @r"
        RULE            TARGET         NOTE
        Terminal shell  pod/web/web-0
        漢字            \u{1b}[2J      wide
        ");
    }
}
