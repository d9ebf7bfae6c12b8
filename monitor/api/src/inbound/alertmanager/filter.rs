//! Which alerts are asked for: matchers, states, a receiver.

use regex::Regex;
use wharf_oncall::Matcher;

/// Most matchers of a question.
const MOST_MATCHERS: usize = 64;

/// What a query asks for.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) matchers: Vec<Matcher>,
    pub(super) active: bool,
    pub(super) silenced: bool,
    pub(super) inhibited: bool,
    receiver: Option<Regex>,
}

impl Filter {
    /// Reads it; what is wrong with it otherwise.
    pub(super) fn read(query: Option<&str>) -> Result<Self, String> {
        let mut filter =
            Self { matchers: Vec::new(), active: true, silenced: true, inhibited: true, receiver: None };
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let flag =
                || value.parse().map_err(|_| format!("bad parameter `{name}`: `{value}` is no boolean"));
            match &*name {
                "filter" if filter.matchers.len() == MOST_MATCHERS => {
                    return Err(format!("bad parameter `filter`: there are more than {MOST_MATCHERS}"));
                }
                "filter" => filter
                    .matchers
                    .push(value.parse().map_err(|error| format!("bad parameter `filter`: {error}"))?),
                "active" => filter.active = flag()?,
                "silenced" => filter.silenced = flag()?,
                "inhibited" => filter.inhibited = flag()?,
                "receiver" => {
                    let regex = Regex::new(&format!("^(?:{value})$"));
                    filter.receiver =
                        Some(regex.map_err(|error| format!("bad parameter `receiver`: {error}"))?);
                }
                _ => {}
            }
        }
        Ok(filter)
    }

    /// Whether all matchers hold for the labels.
    pub(super) fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches(label(matcher.name()).unwrap_or_default()))
    }

    /// Whether the receiver is asked for.
    pub(super) fn wants_receiver(&self, name: &str) -> bool {
        self.receiver.as_ref().is_none_or(|receiver| receiver.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_of_amtool_is_read() {
        let query = "active=true&filter=alertname%3D%22Disk+full%22&filter=host%3D~%22db.%2A%22&inhibited=false&silenced=false";
        let filter = Filter::read(Some(query)).unwrap();
        assert_eq!((filter.active, filter.silenced, filter.inhibited), (true, false, false));
        let label =
            |host: &'static str| move |name: &str| Some(if name == "host" { host } else { "Disk full" });
        assert!(filter.matches(label("db1")));
        assert!(!filter.matches(label("web1")));
    }

    #[test]
    fn what_is_no_question_is_refused() {
        for query in ["filter=x", "active=perhaps", "receiver=(", "filter=a%3D~%22(%22"] {
            assert!(Filter::read(Some(query)).unwrap_err().contains("bad parameter"), "{query}");
        }
    }
}
