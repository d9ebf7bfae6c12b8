//! Tables that fit a terminal: columns of free text give way, the widest first; names and numbers never do. Pure.

/// Columns of free text, by their headings.
const FREE: [&str; 9] = ["TITLE", "REASON", "WITH", "MATCHES", "COMMENT", "TAGS", "WHY", "WHAT", "ANSWER"];
/// What a column of free text keeps at least.
const LEAST: usize = 8;
/// Between two columns.
pub(super) const GAP: usize = 2;

/// The widths with which a row fits `room`, or comes as near as it can.
pub(super) fn narrowed<const N: usize>(
    heading: &[String; N],
    mut widths: [usize; N],
    room: usize,
) -> [usize; N] {
    let mut excess = (widths.iter().sum::<usize>() + GAP * N.saturating_sub(1)).saturating_sub(room);
    while excess > 0 {
        let gives = |at: &usize| FREE.contains(&heading[*at].as_str()) && widths[*at] > LEAST;
        let Some(widest) = (0..N).filter(gives).max_by_key(|at| widths[*at]) else { break };
        widths[widest] -= 1;
        excess -= 1;
    }
    widths
}

/// The cell in so many characters.
pub(super) fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    let kept: String = cell.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_free_text_gives_way_and_names_never_do() {
        let heading = ["INCIDENT", "TITLE", "REASON"].map(str::to_owned);
        assert_eq!(narrowed(&heading, [40, 3_000, 30], 100), [40, 28, 28]);
        assert_eq!(narrowed(&heading, [10, 20, 30], 100), [10, 20, 30]);
        assert_eq!(narrowed(&heading, [300, 20, 4], 100), [300, 8, 4], "as near as it can");
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(
            (cut("disk full", 9), cut("disk is full", 8)),
            ("disk full".to_owned(), "disk is…".to_owned())
        );
        assert_eq!(cut("é€é", 2), "é…");
    }
}
