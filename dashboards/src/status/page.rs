//! The page itself: a view in, HTML out. Pure. All text is escaped; no script, no image, one inline style sheet that
//! the policy names by its hash.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use wharf_catalog::Timestamp;
use wharf_monitor::ServiceState;

use super::Announcement;
use crate::badge::escaped;

const STYLE: &str = include_str!("page.css");

/// What is shown.
#[derive(Debug)]
pub(super) struct View {
    pub(super) title: String,
    pub(super) services: Vec<Service>,
    pub(super) episodes: Vec<Episode>,
    pub(super) announcements: Vec<Announcement>,
    /// Some of the past was imported.
    pub(super) is_demo: bool,
    pub(super) now: Timestamp,
}

#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) state: ServiceState,
    pub(super) since: Timestamp,
    pub(super) availability: Option<f64>,
    pub(super) days: Vec<Day>,
}

#[derive(Debug)]
pub(super) struct Day {
    pub(super) from: Timestamp,
    pub(super) availability: Option<f64>,
    pub(super) state: ServiceState,
    pub(super) outages: u64,
}

/// An outage.
#[derive(Debug)]
pub(super) struct Episode {
    pub(super) service: String,
    pub(super) from: Timestamp,
    pub(super) to: Option<Timestamp>,
}

/// What may be loaded and done: nothing but our own style.
pub(super) fn policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors *"
    )
}

pub(super) fn render(view: &View) -> String {
    let mut page = String::with_capacity(64 * 1024);
    let title = escaped(&view.title);
    let (tone, headline) = headline(view);
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title} · {headline}</title>\
         <style>{STYLE}</style></head><body><main><header><h1>{title}</h1></header>\
         <p class=\"banner {tone}\" role=\"status\">{}<span>{headline}</span></p>",
        mark(tone)
    );
    view.announcements.iter().for_each(|one| announcement(&mut page, one));
    page.push_str(
        "<section aria-labelledby=\"services\"><h2 id=\"services\">Services</h2><ul class=\"services\">",
    );
    for service in &view.services {
        self::service(&mut page, service, view.now);
    }
    if view.services.is_empty() {
        page.push_str("<li class=\"quiet\">No service is on this page at the moment.</li>");
    }
    page.push_str("</ul>");
    legend(&mut page);
    page.push_str("</section>");
    episodes(&mut page, view);
    let _ = write!(page, "<footer><p>As of {}.", time(view.now));
    if view.is_demo {
        page.push_str(" Part of the past shown here was imported, not measured.");
    }
    page.push_str("</p></footer></main></body></html>\n");
    page
}

/// How it looks, and in words.
fn headline(view: &View) -> (&'static str, String) {
    let count = |state| view.services.iter().filter(|service| service.state == state).count();
    let (down, paused) = (count(ServiceState::Down), count(ServiceState::Paused));
    let plural = |n: usize| if n == 1 { "1 service is".to_owned() } else { format!("{n} services are") };
    match (down, paused) {
        _ if view.services.is_empty() => ("none", "Nothing to report".to_owned()),
        (0, 0) => ("up", "All services are up".to_owned()),
        (0, paused) => ("paused", format!("{} in maintenance", plural(paused))),
        (down, _) => ("down", format!("{} down", plural(down))),
    }
}

fn tone(state: ServiceState) -> (&'static str, &'static str) {
    match state {
        ServiceState::Up => ("up", "Up"),
        ServiceState::Down => ("down", "Down"),
        ServiceState::Paused => ("paused", "Maintenance"),
        ServiceState::Starting => ("paused", "Starting"),
        ServiceState::Unmonitored => ("none", "Not monitored"),
    }
}

/// A shape for each tone: colour alone tells nothing to some.
fn mark(tone: &str) -> &'static str {
    match tone {
        "up" => {
            r#"<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="8"/><path d="M4.5 8.3l2.4 2.4 4.6-5"/></svg>"#
        }
        "down" => {
            r#"<svg viewBox="0 0 16 16" aria-hidden="true"><path class="fill" d="M5 0h6l5 5v6l-5 5H5l-5-5V5z"/><path d="M5.3 5.3l5.4 5.4m0-5.4l-5.4 5.4"/></svg>"#
        }
        "paused" => {
            r#"<svg viewBox="0 0 16 16" aria-hidden="true"><rect width="16" height="16" rx="3"/><path d="M6 5v6m4-6v6"/></svg>"#
        }
        _ => {
            r#"<svg viewBox="0 0 16 16" aria-hidden="true"><circle class="ring" cx="8" cy="8" r="6.5"/></svg>"#
        }
    }
}

fn announcement(page: &mut String, one: &Announcement) {
    let _ = write!(page, "<section class=\"news\"><h2>{}</h2>", escaped(&one.title));
    for paragraph in one.text.split("\n\n").map(str::trim).filter(|text| !text.is_empty()) {
        let _ = write!(page, "<p>{}</p>", escaped(paragraph));
    }
    page.push_str("</section>");
}

fn service(page: &mut String, service: &Service, now: Timestamp) {
    let (tone, word) = tone(service.state);
    let name = escaped(&service.name);
    let _ = write!(
        page,
        "<li><div class=\"line\"><h3>{name}</h3><span class=\"state {tone}\">{}{word}</span></div>",
        mark(tone)
    );
    bar(page, service);
    let share = service
        .availability
        .map_or("not measured yet".to_owned(), |share| format!("{} available", percent(share)));
    let _ = write!(
        page,
        "<div class=\"line small\"><span>{} days ago</span><span class=\"share\">{share}</span><span>{word} for {}</span></div></li>",
        service.days.len().saturating_sub(1),
        spoken(now.since(service.since).as_secs()),
    );
}

/// One stroke a day: whole while up, parted where there was an outage, a stub where nobody looked.
fn bar(page: &mut String, service: &Service) {
    const STEP: usize = 4;
    let days = &service.days;
    let bad = days.iter().filter(|day| day.outages > 0).count();
    let told = match bad {
        0 => "no outage".to_owned(),
        1 => "outages on 1 day".to_owned(),
        n => format!("outages on {n} days"),
    };
    let _ = write!(
        page,
        "<svg class=\"bar\" viewBox=\"0 0 {} 32\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"The last {} days: {told}\">",
        days.len() * STEP,
        days.len()
    );
    for (at, day) in days.iter().enumerate() {
        let x = at * STEP;
        let date = date(day.from);
        let (class, shape) = match (day.state, day.availability) {
            (ServiceState::Down, share) => {
                // The gap shows at least a little, and never all.
                let gap = (1.0 - share.unwrap_or(0.0)).mul_add(22.0, 3.0).clamp(4.0, 24.0);
                let upper = (32.0 - gap) / 2.0;
                let class = if share.is_some_and(|share| share >= 0.99) { "fair" } else { "bad" };
                (class, format!("M{x} 0h3v{upper:.1}h-3zM{x} {:.1}h3V32h-3z", upper + gap))
            }
            (_, Some(_)) => ("good", format!("M{x} 0h3v32h-3z")),
            (ServiceState::Paused, None) => ("rest", format!("M{x} 10h3v12h-3z")),
            (_, None) => ("gone", format!("M{x} 26h3v6h-3z")),
        };
        let share = day
            .availability
            .map_or("not monitored".to_owned(), |share| format!("{} available", percent(share)));
        let _ = write!(page, "<path class=\"{class}\" d=\"{shape}\"><title>{date}: {share}</title></path>");
    }
    page.push_str("</svg>");
}

fn legend(page: &mut String) {
    let entries = [
        ("good", "M0 0h3v12h-3z", "up"),
        ("bad", "M0 0h3v4h-3zM0 8h3v4h-3z", "with outages"),
        ("rest", "M0 4h3v4h-3z", "maintenance"),
        ("gone", "M0 9h3v3h-3z", "not monitored"),
    ];
    page.push_str("<p class=\"legend small\">");
    for (class, shape, word) in entries {
        let _ = write!(
            page,
            "<span><svg viewBox=\"0 0 3 12\" aria-hidden=\"true\"><path class=\"{class}\" d=\"{shape}\"/></svg>{word}</span>"
        );
    }
    page.push_str("</p>");
}

fn episodes(page: &mut String, view: &View) {
    page.push_str("<section aria-labelledby=\"past\"><h2 id=\"past\">Outages of the last 14 days</h2>");
    if view.episodes.is_empty() {
        page.push_str("<p class=\"quiet\">None.</p></section>");
        return;
    }
    page.push_str("<ul class=\"past\">");
    for episode in &view.episodes {
        let lasted = match episode.to {
            Some(to) => format!("for {}", spoken(to.since(episode.from).as_secs())),
            None => format!("for {} so far", spoken(view.now.since(episode.from).as_secs())),
        };
        let name = escaped(&episode.service);
        let _ = write!(
            page,
            "<li><span class=\"name\">{name}</span><span>{}</span><span>{lasted}</span></li>",
            time(episode.from)
        );
    }
    page.push_str("</ul></section>");
}

/// Two decimals, never rounded up.
fn percent(share: f64) -> String {
    format!("{}%", (share * 1e4).floor() / 1e2)
}

fn spoken(seconds: u64) -> String {
    let (n, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    if n == 1 { format!("1 {unit}") } else { format!("{n} {unit}s") }
}

fn zoned(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or_default()
}

fn date(at: Timestamp) -> String {
    zoned(at).strftime("%-d %b").to_string()
}

fn time(at: Timestamp) -> String {
    let at = zoned(at);
    format!(
        "<time datetime=\"{}\">{}</time>",
        at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        at.strftime("%-d %b, %H:%M UTC")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(name: &str, state: ServiceState) -> View {
        let day = |at: i64| Day {
            from: Timestamp(at * 86_400_000),
            availability: Some(0.5),
            state: ServiceState::Down,
            outages: 1,
        };
        let service = Service {
            name: name.to_owned(),
            state,
            since: Timestamp(0),
            availability: Some(0.999_99),
            days: (0..90).map(day).collect(),
        };
        View {
            title: name.to_owned(),
            services: vec![service],
            episodes: vec![Episode { service: name.to_owned(), from: Timestamp(0), to: None }],
            announcements: vec![Announcement {
                title: name.to_owned(),
                text: name.to_owned(),
                ..Announcement::default()
            }],
            is_demo: false,
            now: Timestamp(90 * 86_400_000),
        }
    }

    #[test]
    fn hostile_names_stay_text_everywhere() {
        let page = render(&view("<img src=x onerror=alert(1)>\"'", ServiceState::Down));
        assert!(!page.contains("<img") && page.matches("&lt;img src=x").count() >= 5, "{page}");
    }

    #[test]
    fn the_headline_says_what_is_wrong_and_nothing_is_rounded_up() {
        assert!(render(&view("a", ServiceState::Down)).contains("1 service is down"));
        let page = render(&view("a", ServiceState::Up));
        assert!(page.contains("All services are up") && page.contains("99.99% available"), "{page}");
        assert!(render(&view("a", ServiceState::Paused)).contains("1 service is in maintenance"));
    }

    #[test]
    fn the_policy_names_the_style_that_is_sent() {
        let page = render(&view("a", ServiceState::Up));
        let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
        assert!(policy().contains(&STANDARD.encode(Sha256::digest(style))));
    }
}
