//! Why does a file say what it says? Which instances are in and which are not, for each question its template
//! asked, and what happened to it lately. Pure, over what is known now.

use serde::{Deserialize, Serialize};
use wharf_catalog::{Health, InstanceHealth, Topic};

use crate::{
    Feed, Status, Statuses,
    query::Query,
    source::{Lookup, Source},
};

/// Everything there is to say about one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Explanation {
    /// How it stands.
    #[serde(flatten)]
    pub status: Status,
    /// What its template asked for, with who was found.
    pub upstreams: Vec<Upstream>,
    /// What is wrong with the connection to the catalog, if anything is.
    pub outage: Option<String>,
}

/// One question for instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// The question.
    pub query: String,
    /// Every instance of the service.
    pub instances: Vec<Verdict>,
}

/// One instance, in or out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Its node.
    pub node: String,
    /// Its id there.
    pub id: String,
    /// `address:port`.
    pub address: String,
    /// Is it in the file?
    pub included: bool,
    /// Why.
    pub reason: String,
}

/// Explains all templates of `statuses`, over what `feed` knows now.
pub fn all(feed: &Feed, datacenter: &str, statuses: &Statuses) -> Vec<Explanation> {
    let moment = feed.now(&datacenter.into());
    let outage = feed.outage();
    let explained = statuses.all().into_iter().map(|status| {
        let mut upstreams = moment.with(|source| upstreams(source, &status.queries));
        upstreams.iter_mut().for_each(|upstream| upstream.hold_out(&status.flapping));
        Explanation { status, upstreams, outage: outage.clone() }
    });
    explained.collect()
}

fn upstreams(source: &dyn Source, queries: &[String]) -> Vec<Upstream> {
    let instances =
        |text: &String| text.parse::<Query>().map_or(Vec::new(), |query| verdicts(source, &query));
    queries.iter().map(|text| Upstream { query: text.clone(), instances: instances(text) }).collect()
}

fn verdicts(source: &dyn Source, query: &Query) -> Vec<Verdict> {
    let datacenter = query.datacenter.as_deref().unwrap_or_else(|| source.datacenter());
    let Lookup::Known(state) = source.catalog(datacenter, &Topic::Health(query.name.as_str().into())) else {
        return Vec::new();
    };
    state.service_health(&query.name).map(|found| verdict(&found, query)).collect()
}

fn verdict(found: &InstanceHealth<'_>, query: &Query) -> Verdict {
    let included = query.wants(found);
    Verdict {
        node: found.node.name.to_string(),
        id: found.instance.id.to_string(),
        address: format!("{}:{}", found.address(), found.instance.port),
        included,
        reason: if included { format!("it is {}", found.health()) } else { why_not(found, query) },
    }
}

impl Upstream {
    /// Takes out who is held out because it flaps, as [`Status::flapping`] has it.
    fn hold_out(&mut self, flapping: &[String]) {
        if !self.query.parse::<Query>().is_ok_and(|query| query.only_passing()) {
            return;
        }
        for instance in self.instances.iter_mut().filter(|instance| instance.included) {
            let name = format!("{} on {}: ", instance.id, instance.node);
            if let Some(reason) = flapping.iter().find_map(|text| text.strip_prefix(&name)) {
                (instance.included, instance.reason) = (false, reason.to_owned());
            }
        }
    }
}

/// The first thing that keeps it out: a tag, or the check that is as bad as the whole.
fn why_not(found: &InstanceHealth<'_>, query: &Query) -> String {
    if let Some(tag) = &query.tag
        && !found.instance.tags.iter().any(|own| own.eq_ignore_ascii_case(tag))
    {
        return format!("it has no tag `{tag}`");
    }
    let health = found.health();
    let blamed = found.checks().find(|check| Health::of([check.as_ref()]) == health);
    let words = |text: &str| text.lines().next().unwrap_or_default().chars().take(200).collect::<String>();
    match blamed {
        Some(check) if check.is_maintenance() => format!("it is {health}: {}", words(&check.notes)),
        Some(check) => format!("it is {health}: check `{}` says: {}", check.id, words(&check.output)),
        None => format!("it is {health}"),
    }
}

#[cfg(test)]
mod tests {
    use wharf_catalog::{Change, Check, Index, Instance, Node, State, Status as Said};

    use super::*;
    use crate::source::Snapshot;

    #[test]
    fn every_instance_is_in_or_out_for_a_reason() {
        let instance = |id: &str, tag: &str| {
            let instance = Instance { port: 80, tags: vec![tag.to_owned()], ..Instance::new("n", id, "web") };
            Change::PutInstance(instance.into())
        };
        let check = Check {
            status: Said::Critical,
            output: "connection refused\nmore".to_owned(),
            instance: Some("b".into()),
            ..Check::new("n", "tcp", "tcp")
        };
        let changes = [
            Change::PutNode(Node::new("n", "10.0.0.1").into()),
            instance("a", "v1"),
            instance("b", "v1"),
            instance("c", "v2"),
            Change::PutCheck(check.into()),
        ];
        let state = State::restored(Index(1), changes);
        let source = Snapshot { state: &state, datacenter: "dc1", local_node: None };
        let mut found = upstreams(&source, &["v1.web".to_owned()]);
        let told: Vec<_> =
            found[0].instances.iter().map(|v| (v.id.as_str(), v.included, v.reason.as_str())).collect();
        assert_eq!(
            told,
            [
                ("a", true, "it is passing"),
                ("b", false, "it is critical: check `tcp` says: connection refused"),
                ("c", false, "it has no tag `v1`"),
            ]
        );
        found[0].hold_out(&["a on n: it is flapping".to_owned()]);
        assert_eq!(
            (found[0].instances[0].included, &*found[0].instances[0].reason),
            (false, "it is flapping")
        );
    }
}
