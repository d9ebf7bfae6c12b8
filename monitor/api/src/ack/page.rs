//! The page of a signed link, as HTML without scripts.
//!
//! What alerts say is hostile until escaped: every text goes through [`Text`].

use std::fmt::{self, Write as _};

use jiff::{Timestamp, tz::TimeZone};
use wharf_pager::{
    journal::{IncidentRow, IncidentState},
    links::Acknowledgement,
};

use crate::Api;

/// The page's whole style.
pub(super) const STYLE: &str = include_str!("page.css");
/// Longest message shown.
const LONGEST: usize = 2_000;

/// What is shown.
#[derive(Debug)]
pub(super) struct Page {
    title: String,
    body: String,
}

/// Text between tags or in an attribute.
struct Text<'t>(&'t str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if c.is_control() && c != '\n' => {}
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

impl Page {
    /// How an incident stands for whoever the link is for; `problem` says what just went wrong.
    pub(super) fn of(api: &Api, link: &Acknowledgement, row: &IncidentRow, problem: &str) -> Self {
        let plan = api.pager.picture().plan;
        let zone = plan.zone_of_user(&link.user);
        let name = |user: &str| {
            let found = plan.users.get(user).and_then(|found| found.name.clone());
            found.unwrap_or_else(|| user.to_owned())
        };
        let (kind, good, button, text) = stands(link, row, &zone, name);
        let title = format!("#{} {}", row.id, row.title);
        let mut body = format!(
            "<p class=\"kind{}\">{}</p>\n<h1>{}</h1>\n",
            if good { " good" } else { "" },
            Text(&kind),
            Text(&title)
        );
        if row.id != link.incident {
            let _ = writeln!(body, "<p>#{} is a part of it.</p>", link.incident);
        }
        if !row.message.is_empty() {
            let message: String = row.message.chars().take(LONGEST).collect();
            let _ = writeln!(body, "<p>{}</p>", Text(&message));
        }
        body.push_str(&facts(row, &zone));
        if !problem.is_empty() {
            let _ = writeln!(body, "<p class=\"kind\" role=\"alert\">{}</p>", Text(problem));
        }
        let _ = writeln!(body, "<p>{}</p>", Text(&text));
        if button {
            let name = name(&link.user);
            let _ = writeln!(
                body,
                "<form method=\"post\"><button>Acknowledge as {}</button></form>",
                Text(&name)
            );
        }
        let address = format!("{}/ui/incidents/{}", api.pager.url(), row.id);
        let _ = writeln!(
            body,
            "<p class=\"dim\"><a href=\"{}\">Open the incident in wharf</a></p>",
            Text(&address)
        );
        Self { title, body }
    }

    /// There is nothing to act on.
    pub(super) fn refused(api: &Api, title: &str, text: &str) -> Self {
        let address = format!("{}/ui/incidents", api.pager.url());
        let body = format!(
            "<h1>{}</h1>\n<p>{}</p>\n<p class=\"dim\"><a href=\"{}\">All incidents</a></p>\n",
            Text(title),
            Text(text),
            Text(&address)
        );
        Self { title: title.to_owned(), body }
    }

    pub(super) fn html(&self) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
             <main>\n{}</main>\n</html>\n",
            Text(&self.title),
            self.body
        )
    }
}

/// Its state in a line, whether that is good, whether it may be taken, and what that means for who has the link.
fn stands(
    link: &Acknowledgement,
    row: &IncidentRow,
    zone: &TimeZone,
    name: impl Fn(&str) -> String,
) -> (String, bool, bool, String) {
    match (row.state, &row.acknowledged, &row.resolved) {
        (IncidentState::Resolved, _, Some(resolved)) => {
            let by = resolved.by.as_deref().map(|by| format!(" by {}", name(by))).unwrap_or_default();
            let at = when(resolved.at, zone);
            let text =
                format!("It was resolved{by} at {at}: {}. There is nothing left to do.", resolved.reason);
            ("✓ Resolved".to_owned(), true, false, text)
        }
        (IncidentState::Acknowledged, Some(taken), _) => {
            let until = taken.until.map(|at| format!(" until {}", when(at, zone))).unwrap_or_default();
            let at = when(taken.at, zone);
            let text = if taken.by == link.user {
                format!("You took it at {at}{until}. Nobody else is paged for it.")
            } else {
                format!("{} was quicker and took it at {at}{until}. You need not act.", name(&taken.by))
            };
            ("● Acknowledged".to_owned(), true, false, text)
        }
        _ => {
            let text = "Taking it stops the paging: nobody else is woken for it.".to_owned();
            (format!("▲ Triggered, {}", row.severity.to_lowercase()), false, true, text)
        }
    }
}

fn facts(row: &IncidentRow, zone: &TimeZone) -> String {
    let mut facts = String::from("<dl>\n");
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(facts, "<dt>{}</dt><dd>{}</dd>", Text(name), Text(value));
    };
    fact("Since", &when(row.started, zone));
    fact("Entity", &row.entity);
    if row.symptoms > 1 {
        fact("Symptoms", &row.symptoms.to_string());
    }
    if let Some(held) = &row.held {
        fact("Silenced", held);
    }
    for (title, note) in row.notes.iter().take(10) {
        fact(title, note);
    }
    facts.push_str("</dl>\n");
    facts
}

fn when(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}
