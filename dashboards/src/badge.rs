//! A badge: two words on a coloured strip, to be shown elsewhere. Pure. Names are hostile: all text is escaped.

use wharf_monitor::ServiceState;

const GOOD: &str = "#1f7a54";
const FAIR: &str = "#8f5a00";
const BAD: &str = "#bd2433";
const NONE: &str = "#57605c";

/// What it says, and how that looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Badge {
    label: String,
    value: String,
    colour: &'static str,
}

impl Badge {
    /// A share of time or tests; never rounded up.
    pub(crate) fn availability(service: &str, window: &str, share: Option<f64>) -> Self {
        let percent = share.map(|share| (share * 1e4).floor() / 1e2);
        let colour = match percent {
            None => NONE,
            Some(99.9..) => GOOD,
            Some(99.0..) => FAIR,
            Some(_) => BAD,
        };
        let value = percent.map_or("unknown".to_owned(), |percent| format!("{percent}%"));
        Self::new(format!("{service} {window}"), value, colour)
    }

    pub(crate) fn state(service: &str, state: ServiceState) -> Self {
        let colour = match state {
            ServiceState::Up => GOOD,
            ServiceState::Down => BAD,
            ServiceState::Paused | ServiceState::Starting => FAIR,
            ServiceState::Unmonitored => NONE,
        };
        Self::new(service.to_owned(), state.to_string(), colour)
    }

    /// `limit_ms`: slower is not responsive.
    pub(crate) fn response(service: &str, window: &str, millis: Option<f64>) -> Self {
        let value = match millis {
            None => "unknown".to_owned(),
            Some(millis) if millis < 10.0 => format!("{millis:.1} ms"),
            Some(millis) => format!("{millis:.0} ms"),
        };
        let colour = millis.map_or(NONE, |millis| if millis <= 500.0 { GOOD } else { FAIR });
        Self::new(format!("{service} {window}"), value, colour)
    }

    pub(crate) fn unknown(service: &str) -> Self {
        Self::new(service.to_owned(), "not found".to_owned(), NONE)
    }

    fn new(label: String, value: String, colour: &'static str) -> Self {
        const LONGEST: usize = 64;
        let label = label.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        Self { label, value, colour }
    }

    /// As an SVG image of 20 pixels' height.
    pub(crate) fn svg(&self) -> String {
        let (left, right) = (width(&self.label), width(&self.value));
        let whole = left + right;
        let (label, value, colour) = (escaped(&self.label), escaped(&self.value), self.colour);
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{label}: {value}"><title>{label}: {value}</title><clipPath id="r"><rect width="{whole}" height="20" rx="4"/></clipPath><g clip-path="url(#r)"><rect width="{left}" height="20" fill="#333b38"/><rect x="{left}" width="{right}" height="20" fill="{colour}"/></g><g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle"><text x="{}" y="14" textLength="{}">{label}</text><text x="{}" y="14" textLength="{}">{value}</text></g></svg>"##,
            left / 2,
            left - 12,
            left + right / 2,
            right - 12,
        )
    }
}

/// Room for a text, in pixels; the renderer fits the letters to it.
fn width(text: &str) -> usize {
    12 + text.chars().map(|c| if "ijl.,:;|!' ".contains(c) { 4 } else { 7 }).sum::<usize>()
}

/// Text as it may stand in XML, in an attribute too.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() && c != '\n' && c != '\t' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_text() {
        let svg = Badge::state("\"/><script>alert('x')</script>&\u{1}", ServiceState::Up).svg();
        assert!(!svg.contains("<script") && !svg.contains('\u{1}'), "{svg}");
        assert!(svg.contains("&lt;script&gt;alert(&#39;x&#39;)"), "{svg}");
    }

    #[test]
    fn availability_is_never_rounded_up() {
        let value = |share| Badge::availability("s", "24h", share).value;
        assert_eq!(
            (&*value(Some(0.999_999)), &*value(Some(1.0)), &*value(None)),
            ("99.99%", "100%", "unknown")
        );
    }
}
