//! Messages as the configuration's templates have them. Rendering never fails a page: where a template does not
//! come through, the usual text goes out with a note.

use std::sync::Arc;

use handlebars::Handlebars;

use super::{Context, helpers};
use crate::config::Messages;

/// The templates of a configuration, ready to be rendered. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Templates(Arc<Engines>);

#[derive(Debug)]
struct Engines {
    plain: Handlebars<'static>,
    html: Handlebars<'static>,
}

/// What templates made of a message; nothing where there is no template, or it failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub title: Option<String>,
    /// The rest.
    pub text: Option<String>,
    /// The same in HTML; only for mails.
    pub html: Option<String>,
    /// What failed and why, to be added to the message.
    pub notes: Vec<String>,
}

impl Templates {
    /// Reads the templates. One that is none, which no plan holds, is left out.
    pub fn new(messages: &Messages) -> Self {
        let mut engines = Engines { plain: helpers::engine(false), html: helpers::html_engine() };
        for (path, source) in messages.templates() {
            let engine = if path.ends_with(&["html"]) { &mut engines.html } else { &mut engines.plain };
            let _ = engine.register_template_string(&path.join("."), source);
        }
        Self(Arc::new(engines))
    }

    /// What they make of a message for a kind of contact method.
    pub fn render(&self, kind: &str, context: &Context<'_>) -> Rendered {
        let mut notes = Vec::new();
        let Engines { plain, html } = &*self.0;
        let mut one = |engine: &Handlebars<'static>, key: &str| {
            let special = format!("{kind}.{key}");
            let name = [special.as_str(), key].into_iter().find(|name| engine.has_template(name))?;
            match engine.render(name, context) {
                Ok(text) => Some(text),
                Err(error) => {
                    notes.push(format!("(the template messages.{name} failed: {})", error.reason()));
                    None
                }
            }
        };
        let title = one(plain, "title");
        let text = one(plain, "text");
        let html = one(html, "html");
        Rendered { title, text, html, notes }
    }
}
