//! What does a template ask when it is asked by this name? `${name.full}`, `${name.prefix}`,
//! `${name.suffix}`, `${match(N)}` and `${agent.segment}` (always empty) in every text of the question;
//! `$${` is a plain `${`.

use regex::Regex;

use super::{PreparedQuery, QueryError, Question, Variables};

/// Longest compiled expression: hostile ones must not take memory.
const REGEXP_LIMIT: usize = 1 << 20;

pub(super) fn check(query: &PreparedQuery) -> Result<(), QueryError> {
    if query.template.kind != "name_prefix_match" {
        return Err(QueryError::TemplateType(query.template.kind.clone()));
    }
    compiled(&query.template.regexp).map_err(|error| QueryError::Regexp(error.to_string()))?;
    let mut question = query.service.clone();
    for text in texts(&mut question) {
        *text = expand(text, &variables(query, ""), &[])?;
    }
    Ok(())
}

/// The query for one name; `None` when it is no template that could be kept.
pub(super) fn render(query: &PreparedQuery, name: &str) -> Option<PreparedQuery> {
    let groups: Vec<String> = compiled(&query.template.regexp)
        .ok()?
        .and_then(|regexp| {
            let found = regexp.captures(name)?;
            let text = |group: Option<regex::Match<'_>>| group.map_or("", |it| it.as_str()).to_owned();
            Some(found.iter().map(text).collect())
        })
        .unwrap_or_default();
    let variables = variables(query, name);
    let mut rendered = query.clone();
    for text in texts(&mut rendered.service) {
        *text = expand(text, &variables, &groups).ok()?;
    }
    if query.template.remove_empty_tags {
        rendered.service.tags.iter_mut().for_each(|tags| tags.retain(|tag| !tag.is_empty()));
    }
    Some(rendered)
}

fn compiled(regexp: &str) -> Result<Option<Regex>, regex::Error> {
    if regexp.is_empty() {
        return Ok(None);
    }
    regex::RegexBuilder::new(regexp).size_limit(REGEXP_LIMIT).build().map(Some)
}

fn variables(query: &PreparedQuery, name: &str) -> Variables {
    let prefix = name.get(..query.name.len()).filter(|start| start.eq_ignore_ascii_case(&query.name));
    let suffix = prefix.map_or(name, |prefix| &name[prefix.len()..]);
    Variables::from([
        ("name.full", name.to_owned()),
        ("name.prefix", query.name.clone()),
        ("name.suffix", suffix.to_owned()),
        ("agent.segment", String::new()),
    ])
}

/// Every text of the question that may hold variables.
fn texts(question: &mut Question) -> impl Iterator<Item = &mut String> {
    let Question { service, failover, near, tags, node_meta, service_meta, ignore_check_ids, .. } = question;
    let lists = [&mut failover.datacenters, tags, ignore_check_ids];
    let maps = [node_meta, service_meta];
    [service, near]
        .into_iter()
        .chain(lists.into_iter().flatten().flatten())
        .chain(maps.into_iter().flatten().flat_map(|map| map.values_mut()))
}

fn expand(text: &str, variables: &Variables, groups: &[String]) -> Result<String, QueryError> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            expanded.push_str(&rest[..at]);
            expanded.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        expanded.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let wrong = || QueryError::Variable(rest[at..].to_owned());
        let end = inside.find('}').ok_or_else(wrong)?;
        expanded.push_str(value(inside[..end].trim(), variables, groups).ok_or_else(wrong)?);
        rest = &inside[end + 1..];
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// A group that did not match, or that there is not, is empty.
fn value<'a>(expression: &str, variables: &'a Variables, groups: &'a [String]) -> Option<&'a str> {
    if let Some(value) = variables.get(expression) {
        return Some(value);
    }
    let number = expression.strip_prefix("match(")?.strip_suffix(')')?.trim();
    let at: usize = number.parse().ok()?;
    Some(groups.get(at).map_or("", String::as_str))
}
