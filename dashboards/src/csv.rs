//! Tables as CSV (RFC 4180). Pure.

/// A table that is being written.
#[derive(Debug, Default)]
pub(crate) struct Table(String);

impl Table {
    pub(crate) fn new(heading: &[&str]) -> Self {
        let mut table = Self::default();
        table.row(heading.iter().map(|cell| Cell::Word((*cell).to_owned())));
        table
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        for (at, cell) in cells.into_iter().enumerate() {
            if at > 0 {
                self.0.push(',');
            }
            self.0.push_str(&cell.written());
        }
        self.0.push_str("\r\n");
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// What stands in a cell.
#[derive(Debug)]
pub(crate) enum Cell {
    /// Somebody else's text: quoted where that is needed, and never a formula to a spreadsheet.
    Text(String),
    /// Our own word or number.
    Word(String),
}

impl Cell {
    pub(crate) fn number(value: impl ToString) -> Self {
        Self::Word(value.to_string())
    }

    pub(crate) fn known(value: Option<f64>) -> Self {
        Self::Word(value.map(|value| value.to_string()).unwrap_or_default())
    }

    fn written(self) -> String {
        let text = match self {
            Self::Word(word) => return word,
            Self::Text(text) => text,
        };
        let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text };
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_and_never_formulas() {
        let mut table = Table::new(&["a", "b"]);
        table.row([Cell::Text("x, \"y\"".into()), Cell::Text("=HYPERLINK(1)".into())]);
        table.row([Cell::number(-5), Cell::known(None)]);
        assert_eq!(table.finish(), "a,b\r\n\"x, \"\"y\"\"\",'=HYPERLINK(1)\r\n-5,\r\n");
    }
}
