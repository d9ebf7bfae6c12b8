//! Incidents as CSV (RFC 4180).

use axum::response::{IntoResponse, Response};
use http::header;
use wharf_pager::journal::IncidentRow;

const HEADING: &str = "id,state,entity,title,message,severity,source,routing_key,started,opened,acknowledged_at,\
                       acknowledged_by,resolved_at,resolved_by,reason\r\n";

/// A file for spreadsheets.
pub(super) fn csv(rows: &[IncidentRow]) -> Response {
    let mut text = HEADING.to_owned();
    for row in rows {
        text.push_str(&line(row));
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"incidents.csv\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

fn line(row: &IncidentRow) -> String {
    let (taken, over) = (row.acknowledged.as_ref(), row.resolved.as_ref());
    let at = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let cells = [
        row.id.to_string(),
        row.state.as_str().to_owned(),
        cell(&row.entity),
        cell(&row.title),
        cell(&row.message),
        cell(&row.severity),
        cell(&row.source),
        cell(row.routing_key.as_deref().unwrap_or_default()),
        row.started.to_string(),
        row.opened.to_string(),
        at(taken.map(|taken| taken.at)),
        cell(taken.map_or("", |taken| &taken.by)),
        at(over.map(|over| over.at)),
        cell(over.and_then(|over| over.by.as_deref()).unwrap_or_default()),
        cell(over.map_or("", |over| &over.reason)),
    ];
    format!("{}\r\n", cells.join(","))
}

/// Somebody else's text: quoted where that is needed, and never a formula to a spreadsheet.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{guard}{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_and_never_formulas() {
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("x, \"y\""), "\"x, \"\"y\"\"\"");
        assert_eq!(cell("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(cell("-1\n2"), "\"'-1\n2\"");
    }
}
