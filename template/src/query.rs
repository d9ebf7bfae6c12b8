//! Which instances does a template ask for? consul-template's `TAG.NAME@DC~NEAR|FILTER`, read.

use std::{fmt, str::FromStr};

use wharf_catalog::{Health, InstanceHealth};

use crate::eval::same;

/// A question for instances of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Only instances with this tag.
    pub tag: Option<String>,
    /// Name of the service.
    pub name: String,
    /// Only if this is our datacenter.
    pub datacenter: Option<String>,
    /// Accepted and without effect: results are ordered by node and id.
    pub near: Option<String>,
    /// Only instances this healthy.
    pub filter: Filter,
}

/// Which healths a query wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Every instance, however it is.
    Any,
    /// Instances with one of these healths.
    Only(Vec<Health>),
}

/// Why a text is no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Give the name of a service.
    #[error("`{0}` names no service: write `TAG.NAME@DC~NEAR|FILTER`, all but NAME optional")]
    NoName(String),
    /// Use one of the words.
    #[error(
        "unknown filter `{0}`: use `any`, `passing`, `warning`, `critical` or `maintenance`, separated by commas"
    )]
    UnknownFilter(String),
    /// Leave it out: there is one namespace and one partition, and there are no peers.
    #[error("`{0}` asks for `{1}`, which this catalog does not have")]
    Unsupported(String, String),
    /// Letters, digits, `-`, `_`, `.` make a query; anything else goes into the named argument.
    #[error("`{0}` holds `{1}`, which no query may: for such a name write `service name=\"...\"`")]
    ForbiddenCharacter(String, char),
}

impl Query {
    /// Passing instances of the service with exactly this name.
    pub fn passing(name: &str) -> Self {
        Self { tag: None, name: name.to_owned(), datacenter: None, near: None, filter: Filter::default() }
    }

    /// Does it ask for instances that take traffic, and for no others?
    pub(crate) fn only_passing(&self) -> bool {
        self.filter == Filter::default()
    }

    /// Does it ask for this instance? Tags are the same whatever their case.
    pub(crate) fn wants(&self, found: &InstanceHealth<'_>) -> bool {
        let tagged = |tag: &String| found.instance.tags.iter().any(|own| same(own, tag));
        self.tag.as_ref().is_none_or(tagged) && self.filter.wants(found.health())
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |text: &Option<String>, before, after| {
            text.as_ref().map(|text| format!("{before}{text}{after}")).unwrap_or_default()
        };
        write!(
            f,
            "{}{}{}{}|{}",
            part(&self.tag, "", "."),
            self.name,
            part(&self.datacenter, "@", ""),
            part(&self.near, "~", ""),
            self.filter
        )
    }
}

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let (rest, filter) = cut(text, '|');
        let (rest, near) = cut(rest, '~');
        let (rest, datacenter) = cut(rest, '@');
        let (rest, parameters) = cut(rest, '?');
        let (tag, name) = match rest.rsplit_once('.') {
            Some((tag, name)) => (Some(tag.to_owned()), name),
            None => (None, rest),
        };
        let parts = [(tag.as_deref(), ".=:"), (Some(name), ""), (datacenter, "."), (near, ".")];
        for (part, also) in parts {
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || also.contains(c);
            if let Some(c) = part.unwrap_or("").chars().find(|c| !allowed(*c)) {
                return Err(QueryError::ForbiddenCharacter(text.to_owned(), c));
            }
        }
        let empty = |part: Option<&str>| part == Some("");
        if name.is_empty() || empty(tag.as_deref()) || empty(datacenter) || empty(near) {
            return Err(QueryError::NoName(text.to_owned()));
        }
        check_parameters(text, parameters.unwrap_or(""))?;
        Ok(Self {
            tag,
            name: name.to_owned(),
            datacenter: datacenter.map(str::to_owned),
            near: near.map(str::to_owned),
            filter: filter.map_or(Ok(Filter::default()), str::parse)?,
        })
    }
}

/// There is one namespace and one partition here, `default`; other ones cannot be asked for.
pub(crate) fn check_parameters(text: &str, parameters: &str) -> Result<(), QueryError> {
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !(["ns", "partition"].contains(&name) && ["", "default"].contains(&value)) {
            return Err(QueryError::Unsupported(text.to_owned(), parameter.to_owned()));
        }
    }
    Ok(())
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::Only(vec![Health::Passing])
    }
}

impl Filter {
    /// Does it want an instance with this health?
    pub fn wants(&self, health: Health) -> bool {
        match self {
            Self::Any => true,
            Self::Only(wanted) => wanted.contains(&health),
        }
    }
}

impl FromStr for Filter {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let (mut wanted, mut any) = (Vec::new(), false);
        for word in text.split(',').map(str::trim) {
            match word {
                "any" => any = true,
                "passing" => wanted.push(Health::Passing),
                "warning" => wanted.push(Health::Warning),
                "critical" => wanted.push(Health::Critical),
                // A drain is a maintenance with a reason of its own.
                "maintenance" => wanted.extend([Health::Maintenance, Health::Draining]),
                "" => {}
                other => return Err(QueryError::UnknownFilter(other.to_owned())),
            }
        }
        Ok(if any { Self::Any } else { Self::Only(wanted) })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Only(wanted) => {
                let words: Vec<_> = wanted.iter().map(|health| health.as_str()).collect();
                f.write_str(&words.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_part_is_found() {
        let query: Query = "v1.release.web@dc2~_agent|passing,warning".parse().unwrap();
        assert_eq!(query.tag.as_deref(), Some("v1.release"));
        assert_eq!(query.name, "web");
        assert_eq!(query.datacenter.as_deref(), Some("dc2"));
        assert_eq!(query.near.as_deref(), Some("_agent"));
        assert_eq!(query.filter, Filter::Only(vec![Health::Passing, Health::Warning]));
    }

    #[test]
    fn a_bare_name_asks_for_passing_instances() {
        assert_eq!("web".parse::<Query>().unwrap(), Query::passing("web"));
    }

    #[test]
    fn what_is_no_query_is_told_apart() {
        assert!(matches!("".parse::<Query>(), Err(QueryError::NoName(_))));
        assert!(matches!("web|healthy".parse::<Query>(), Err(QueryError::UnknownFilter(_))));
        assert!(matches!("we b".parse::<Query>(), Err(QueryError::ForbiddenCharacter(_, ' '))));
    }

    proptest! {
        #[test]
        fn any_text_is_a_query_or_an_error(text in "\\PC{0,30}") {
            let _ = text.parse::<Query>();
        }
    }
}
