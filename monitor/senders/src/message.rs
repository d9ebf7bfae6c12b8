//! What is said, for one kind of contact method: the configuration's templates where there are any, else the
//! usual texts.

use wharf_oncall::{
    event::Summary,
    state::Occasion,
    template::{Context, Rendered, shorten},
};

use crate::text;

/// Longest title in characters, before a provider's own limit.
const TITLE: usize = 500;
/// Longest text in characters, before a provider's own limit.
const TEXT: usize = 20_000;

/// A message as it is to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Message<'m> {
    pub(crate) context: &'m Context<'m>,
    /// One line.
    pub(crate) title: String,
    /// The title is a template's, and not the usual one.
    pub(crate) own_title: bool,
    /// Lines, links included.
    pub(crate) text: String,
    /// The usual text without links, where it is the usual one.
    details: Option<String>,
    /// The text is a template's, and not the usual one.
    pub(crate) own_text: bool,
    /// A template's, for mails.
    pub(crate) html: Option<String>,
}

/// How urgent a message is, for providers that show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Critical: wakes.
    Critical,
    /// A warning: wakes.
    Warning,
    /// Somebody is on it.
    Acknowledged,
    /// Over.
    Resolved,
    /// To see it arrive.
    Test,
}

impl<'m> Message<'m> {
    pub(crate) fn new(context: &'m Context<'m>, rendered: Rendered) -> Self {
        let body = |usual: &str| {
            let all = [rendered.text.as_deref().unwrap_or(usual)].into_iter();
            let all: Vec<&str> = all.chain(rendered.notes.iter().map(String::as_str)).collect();
            shorten(text::lines(&all.join("\n")).trim(), TEXT)
        };
        let title = text::line(rendered.title.as_deref().unwrap_or_default());
        let title = if title.is_empty() { text::line(&context.title) } else { title };
        let (own, details) = (body(&context.text), body(&context.details));
        Self {
            context,
            title: shorten(&title, TITLE),
            own_title: rendered.title.is_some(),
            // Hardly any provider takes a message without text.
            text: if own.is_empty() { title } else { own },
            details: rendered.text.is_none().then_some(details),
            own_text: rendered.text.is_some(),
            html: rendered.html,
        }
    }

    /// Lines for where links are buttons.
    pub(crate) fn details(&self) -> &str {
        self.details.as_deref().unwrap_or(&self.text)
    }

    /// How urgent it is: as its worst incident.
    pub(crate) fn urgency(&self) -> Urgency {
        match self.context.occasion {
            Occasion::Acknowledged => Urgency::Acknowledged,
            Occasion::Resolved => Urgency::Resolved,
            Occasion::Test => Urgency::Test,
            Occasion::Triggered if self.context.incidents.iter().any(is_critical) => Urgency::Critical,
            // What is left out of a large bundle may be critical.
            Occasion::Triggered if self.context.more > 0 => Urgency::Critical,
            Occasion::Triggered => Urgency::Warning,
        }
    }

    /// The link that acknowledges, while there is something to.
    pub(crate) fn acknowledge(&self) -> Option<&str> {
        let link = self.context.links.acknowledge.as_str();
        (self.context.occasion == Occasion::Triggered && is_web(link)).then_some(link)
    }

    /// The incident's page.
    pub(crate) fn page(&self) -> Option<&str> {
        let link = self.context.links.incident.as_str();
        is_web(link).then_some(link)
    }
}

/// Whether it is the worst kind.
pub(crate) fn is_critical(incident: &Summary) -> bool {
    incident.severity == "CRITICAL"
}

fn is_web(link: &str) -> bool {
    link.starts_with("http://") || link.starts_with("https://")
}
