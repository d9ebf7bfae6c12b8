//! What reaches the terminal: tables for people, JSON for programs, complaints to stderr.

mod fit;

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Output {
    /// Aligned columns.
    #[default]
    Table,
    /// JSON, one document (for `watch`: one a line).
    Json,
}

/// Prints to stdout. A reader that went away (`| head`) is no error.
pub(super) fn print(text: &str) -> io::Result<()> {
    print_bytes(text.as_bytes())
}

/// As [`print`], for what may be no text.
pub(super) fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other,
    }
}

/// One JSON document.
pub(super) fn json(value: &impl serde::Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n")
}

/// Prints one line to stderr.
pub(super) fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Aligned columns under a heading; on a terminal free text is cut so that rows fit it. Cells are text of other
/// people's: see [`printable`].
pub(super) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<_> = rows.iter().map(|row| (row.clone(), Tone::Plain)).collect();
    toned(heading, &rows, 0)
}

/// As [`table`], with the cells of one column in the colour of their rows.
pub(super) fn toned<const N: usize>(
    heading: [&str; N],
    rows: &[([String; N], Tone)],
    column: usize,
) -> String {
    fitted(heading, rows, column, room())
}

/// How wide a row may be: as the terminal is; what a program reads is not cut.
fn room() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(usize::from(width.0)).filter(|width| *width > 0)
}

fn fitted<const N: usize>(
    heading: [&str; N],
    rows: &[([String; N], Tone)],
    column: usize,
    room: Option<usize>,
) -> String {
    let heading = (heading.map(str::to_owned), Tone::Plain);
    let rows = rows.iter().map(|(row, tone)| (row.clone().map(|cell| printable(&cell)), *tone));
    let lines: Vec<([String; N], Tone)> = std::iter::once(heading).chain(rows).collect();
    let widths: [usize; N] =
        std::array::from_fn(|at| lines.iter().map(|(cells, _)| cells[at].chars().count()).max().unwrap_or(0));
    let widths = room.map_or(widths, |room| fit::narrowed(&lines[0].0, widths, room));
    let line = |(cells, tone): &([String; N], Tone)| {
        let padded = cells.iter().zip(widths).enumerate().map(|(at, (cell, width))| {
            let cell = fit::cut(cell, width);
            let space = " ".repeat(width.saturating_sub(cell.chars().count()));
            if at == column { tone.paint(&cell) + &space } else { cell + &space }
        });
        padded.collect::<Vec<_>>().join(&" ".repeat(fit::GAP)).trim_end().to_owned() + "\n"
    };
    lines.iter().map(line).collect()
}

/// What a word means, in colour where a person reads. The word says it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Warning,
    Bad,
}

impl Tone {
    /// The word in its colour, if stdout is a terminal and nobody asked for none (<https://no-color.org>).
    pub(super) fn paint(self, word: &str) -> String {
        let asked_not_to = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if asked_not_to || !io::stdout().is_terminal() { word.to_owned() } else { self.coloured(word) }
    }

    fn coloured(self, word: &str) -> String {
        let code = match self {
            Self::Plain => return word.to_owned(),
            Self::Good => 32,
            Self::Warning => 33,
            Self::Bad => 31,
        };
        format!("\u{1b}[{code}m{word}\u{1b}[0m")
    }
}

/// Other people's text on one line: a space for each line break or tab, and `?` for other control characters.
pub(super) fn printable(cell: &str) -> String {
    let one = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if c.is_control() => '?',
        c => c,
    };
    cell.replace("\r\n", "\n").chars().map(one).collect()
}

/// The fields of a CSV made [`printable`], its rows as they are.
pub(super) fn printable_csv(text: &str) -> String {
    let mut quoted = false;
    let one = |c: char| {
        quoted ^= c == '"';
        match c {
            '\n' | '\r' if !quoted => c,
            '\n' | '\r' | '\t' => ' ',
            c if c.is_control() => '?',
            c => c,
        }
    };
    text.chars().map(one).collect()
}

/// The largest unit alone: `3d`, `5h`, `12m`, `40s`.
pub(super) fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_where_text_does() {
        let rows = [["web".to_owned(), "3/3".to_owned()], ["longer-name".to_owned(), "0/1".to_owned()]];
        assert_eq!(
            table(["SERVICE", "PASSING"], &rows),
            "SERVICE      PASSING\nweb          3/3\nlonger-name  0/1\n"
        );
    }

    #[test]
    fn a_word_has_its_colour_and_only_that() {
        assert_eq!(Tone::Bad.coloured("down"), "\u{1b}[31mdown\u{1b}[0m");
        assert_eq!(Tone::Plain.coloured("up"), "up");
        let rows = [(["wéb".to_owned(), "down".to_owned(), "x".to_owned()], Tone::Bad)];
        assert_eq!(
            toned(["S", "STATE", "WHY"], &rows, 1),
            table(["S", "STATE", "WHY"], &[rows[0].0.clone()])
        );
    }

    #[test]
    fn terminal_escapes_in_names_are_defused() {
        assert!(!table(["A"], &[["\u{1b}[2Jgone".to_owned()]]).contains('\u{1b}'));
    }

    #[test]
    fn a_row_fits_the_terminal_and_is_whole_in_a_pipe() {
        let rows = [(["#7".to_owned(), "triggered".to_owned(), "x".repeat(5_000)], Tone::Bad)];
        let heading = ["INCIDENT", "STATE", "TITLE"];
        let shown = fitted(heading, &rows, 1, Some(60));
        assert_eq!(shown.lines().map(|line| line.chars().count()).max(), Some(60));
        assert!(shown.contains("#7") && shown.ends_with("x…\n"), "{shown}");
        assert!(fitted(heading, &rows, 1, None).contains(&rows[0].0[2]));
    }

    #[test]
    fn line_breaks_are_spaces_and_rows_of_a_csv_stay_rows() {
        assert_eq!(printable("x\ny\r\nz\u{7}"), "x y z?");
        assert_eq!(
            printable_csv("a,b\r\n\u{1b}[2J,\"one\ntwo \"\"3\"\"\"\n"),
            "a,b\r\n?[2J,\"one two \"\"3\"\"\"\n"
        );
    }

    #[test]
    fn times_are_spoken_in_their_largest_unit() {
        let spoken = |seconds| spoken(Duration::from_secs(seconds));
        assert_eq!(
            [spoken(0), spoken(59), spoken(60), spoken(7_300), spoken(172_800)],
            ["0s", "59s", "1m", "2h", "2d"]
        );
    }
}
