//! Prepared queries: a question about a service that is kept under a name, and what it answers.
//!
//! Pure. The definition is kept as the body of a document of kind [`KIND`], a second document of kind
//! [`NAMES`] makes its name unique. Source: Consul API, `/v1/query`, prepared query templates.

mod template;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::{Document, InstanceHealth, State, Status};

/// Kind of the documents that hold definitions, by the query's id.
pub const KIND: &str = "query";
/// Kind of the documents that hold the id for a name (in lower case).
pub const NAMES: &str = "query-name";

/// A query's definition, in the spelling of Consul's API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PreparedQuery {
    /// A UUID.
    #[serde(rename = "ID")]
    pub id: String,
    /// What it is asked by; for a template, the prefix of what it is asked by. May be empty.
    pub name: String,
    /// It goes when this session ends.
    pub session: String,
    /// Token to ask with; kept and told.
    pub token: String,
    /// Is it a template, and how does it read the name?
    pub template: Template,
    /// What is asked.
    pub service: Question,
    /// How DNS answers it.
    #[serde(rename = "DNS")]
    pub dns: DnsOptions,
}

/// How a template reads the name it is asked by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Template {
    /// `name_prefix_match`, or empty for no template.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Its groups are `${match(N)}`.
    pub regexp: String,
    /// Leave out tags that are empty once rendered.
    pub remove_empty_tags: bool,
}

/// What a query asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Question {
    /// Name of the service.
    pub service: String,
    /// Other datacenters to ask; there are none.
    pub failover: Failover,
    /// Leave out warning instances, too.
    pub only_passing: bool,
    /// Checks that do not count.
    #[serde(rename = "IgnoreCheckIDs")]
    pub ignore_check_ids: Option<Vec<String>>,
    /// Node whose instances come first; `_agent` for the one that is asked.
    pub near: String,
    /// Tags an instance must have, or with `!` must not have.
    pub tags: Option<Vec<String>>,
    /// Metadata its node must have.
    pub node_meta: Option<BTreeMap<String, String>>,
    /// Metadata it must have.
    pub service_meta: Option<BTreeMap<String, String>>,
    /// Ask for the mesh proxies of the service instead.
    pub connect: bool,
}

/// Where else to ask when nobody is left here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Failover {
    /// How many of the nearest datacenters.
    pub nearest_n: i64,
    /// Then these.
    pub datacenters: Option<Vec<String>>,
}

/// How DNS answers a query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DnsOptions {
    /// How long the answer may be remembered; empty for the server's default.
    #[serde(rename = "TTL")]
    pub ttl: String,
}

/// Why a query cannot be kept. Texts are Consul's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Give it a name, a session, or make it a template.
    #[error("Must be bound to a session")]
    Anonymous,
    /// Name the service.
    #[error("Must provide a Service name to query")]
    NoService,
    /// Give 0 or more.
    #[error("Bad NearestN '{0}', must be >= 0")]
    NearestN(i64),
    /// Use `name_prefix_match`.
    #[error("Bad Template.Type '{0}': use 'name_prefix_match'")]
    TemplateType(String),
    /// Mend the regular expression.
    #[error("Bad Regexp: error parsing regexp: {0}")]
    Regexp(String),
    /// Mend what stands between `${` and `}`.
    #[error(
        "Bad format '{0}' in template: use ${{name.full}}, ${{name.prefix}}, ${{name.suffix}} or ${{match(N)}}"
    )]
    Variable(String),
}

/// Why an id or a name leads to no query. Texts are Consul's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// Nothing is called so.
    #[error("Query not found")]
    Unknown,
    /// Ask it by a name: there is nothing else to fill it in with.
    #[error("prepared query templates can only be resolved up by name, not by ID")]
    TemplateById,
}

impl QueryError {
    /// Is it the template that is wrong, and not what is asked?
    pub fn is_of_template(&self) -> bool {
        matches!(self, Self::TemplateType(_) | Self::Regexp(_) | Self::Variable(_))
    }
}

impl PreparedQuery {
    /// Reads a definition from its document.
    pub fn of(document: &Document) -> Option<Self> {
        serde_json::from_str(&document.body).ok()
    }

    /// Is it asked by every name that starts with its own?
    pub fn is_template(&self) -> bool {
        !self.template.kind.is_empty()
    }

    /// Can it be answered?
    pub fn check(&self) -> Result<(), QueryError> {
        if self.name.is_empty() && self.session.is_empty() && !self.is_template() {
            return Err(QueryError::Anonymous);
        }
        if self.service.service.is_empty() {
            return Err(QueryError::NoService);
        }
        if self.service.failover.nearest_n < 0 {
            return Err(QueryError::NearestN(self.service.failover.nearest_n));
        }
        if self.is_template() { template::check(self) } else { Ok(()) }
    }

    /// The name under which it is kept apart from others.
    pub fn unique_name(&self) -> String {
        self.name.to_lowercase()
    }
}

/// The query meant by an id or a name: by id, by exact name, else the template with the longest prefix of
/// it. Templates are rendered for the name.
pub fn resolve(state: &State, id_or_name: &str) -> Result<PreparedQuery, Unresolved> {
    let name = id_or_name.to_lowercase();
    let by_id = state.document(KIND, &name).and_then(|document| PreparedQuery::of(document));
    match by_id {
        Some(query) if query.is_template() => Err(Unresolved::TemplateById),
        Some(query) => Ok(query),
        None => by_name(state, id_or_name, &name).ok_or(Unresolved::Unknown),
    }
}

fn by_name(state: &State, given: &str, name: &str) -> Option<PreparedQuery> {
    if name.is_empty() {
        return None;
    }
    if let Some(query) = named(state, name) {
        return rendered(query, given);
    }
    let template = state
        .documents(KIND)
        .filter_map(|document| PreparedQuery::of(document))
        .filter(|query| query.is_template() && name.starts_with(&query.unique_name()))
        .max_by_key(|query| query.name.len())?;
    rendered(template, given)
}

fn named(state: &State, name: &str) -> Option<PreparedQuery> {
    let id = &state.document(NAMES, name)?.body;
    PreparedQuery::of(state.document(KIND, id)?)
}

fn rendered(query: PreparedQuery, name: &str) -> Option<PreparedQuery> {
    if query.is_template() { template::render(&query, name) } else { Some(query) }
}

/// The instances that answer the question, in the order of their nodes and ids.
pub fn answer<'a>(state: &'a State, question: &Question) -> Vec<InstanceHealth<'a>> {
    let candidates: Vec<_> = if question.connect {
        mesh_instances(state, &question.service).collect()
    } else {
        let asked = question.service.to_lowercase();
        let name = state.service_names().find(|name| name.to_lowercase() == asked);
        name.into_iter().flat_map(|name| state.service_health(name)).collect()
    };
    candidates.into_iter().filter(|candidate| question.wants(candidate)).collect()
}

/// The instances that stand for a service in a mesh: its proxies, and its own that need none.
pub fn mesh_instances<'a>(
    state: &'a State,
    service: &str,
) -> impl Iterator<Item = InstanceHealth<'a>> + use<'a> {
    let service = service.to_owned();
    state
        .instances()
        .filter(move |instance| {
            let proxied = instance.proxy.as_ref().filter(|_| instance.kind == "connect-proxy");
            proxied.is_some_and(|proxy| proxy.destination_service.eq_ignore_ascii_case(&service))
                || (instance.mesh_native && instance.name.eq_ignore_ascii_case(&service))
        })
        .filter_map(|instance| state.instance_health(&instance.node, &instance.id))
}

impl Question {
    fn wants(&self, candidate: &InstanceHealth<'_>) -> bool {
        let ignored = self.ignore_check_ids.as_deref().unwrap_or_default();
        let well =
            candidate.checks().filter(|check| !ignored.iter().any(|id| **id == *check.id)).all(|check| {
                match check.status {
                    Status::Passing => true,
                    Status::Warning => !self.only_passing,
                    Status::Critical => false,
                }
            });
        let has = |meta: &BTreeMap<String, String>, wanted: &Option<BTreeMap<String, String>>| {
            wanted.iter().flatten().all(|(key, value)| meta.get(key) == Some(value))
        };
        well && self.wants_tags(&candidate.instance.tags)
            && has(&candidate.node.meta, &self.node_meta)
            && has(&candidate.instance.meta, &self.service_meta)
    }

    fn wants_tags(&self, tags: &[String]) -> bool {
        let has = |wanted: &str| tags.iter().any(|tag| tag.eq_ignore_ascii_case(wanted));
        self.tags.iter().flatten().all(|wanted| match wanted.strip_prefix('!') {
            Some(unwanted) => !has(unwanted),
            None => has(wanted),
        })
    }
}

/// Puts the instances in a random order, those on the node `near` first.
pub fn order(instances: &mut [InstanceHealth<'_>], near: Option<&str>, seed: u64) {
    let mut random = seed | 1;
    for at in (1..instances.len()).rev() {
        // xorshift: any order will do, no order must be preferred for long.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let other = usize::try_from(random % (at as u64 + 1)).unwrap_or(0);
        instances.swap(at, other);
    }
    if let Some(near) = near {
        instances.sort_by_key(|instance| !instance.node.name.eq_ignore_ascii_case(near));
    }
}

/// Variables and groups a template is rendered with.
type Variables = HashMap<&'static str, String>;

#[cfg(test)]
mod tests;
