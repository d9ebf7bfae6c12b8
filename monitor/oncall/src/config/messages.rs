//! `[messages]`: how messages read, where the usual texts do not do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::problem::{Complaints, Place};
use crate::template;

/// Templates of messages (Handlebars): for all contact methods, and for kinds of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Messages {
    /// One line.
    pub title: Option<String>,
    /// The rest.
    pub text: Option<String>,
    /// What reads otherwise for a kind of contact method, by its name.
    #[serde(flatten)]
    pub kinds: BTreeMap<String, Texts>,
}

/// Templates for one kind of contact method.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Texts {
    /// One line.
    pub title: Option<String>,
    /// The rest.
    pub text: Option<String>,
    /// The same for mail programs that show it; only mails have it.
    pub html: Option<String>,
}

impl Messages {
    /// Every template with the path to it.
    pub(crate) fn templates(&self) -> impl Iterator<Item = (Vec<&str>, &str)> {
        let general = [(vec!["title"], &self.title), (vec!["text"], &self.text)];
        let special = self.kinds.iter().flat_map(|(kind, texts)| {
            [("title", &texts.title), ("text", &texts.text), ("html", &texts.html)]
                .map(|(key, source)| (vec![kind.as_str(), key], source))
        });
        general.into_iter().chain(special).filter_map(|(path, source)| Some((path, source.as_deref()?)))
    }

    pub(super) fn check(&self, place: &Place, complaints: &mut Complaints) {
        for (path, source) in self.templates() {
            let place = path.iter().fold(place.clone(), |place, key| place.at(*key));
            if path.last() == Some(&"html") && path[0] != "email" {
                complaints.add(place, "is for [messages.email] only; write `text`");
            } else if let Err(problem) = template::check(source) {
                complaints.add(place, problem);
            }
        }
    }
}
