//! What does an answer of Consul's API say? JSON -> a [`State`] that holds just that.
//!
//! Every answer becomes a state of its own, so that two answers from different moments never mix.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer};
use wharf_catalog::{
    Change, Check, Index, Instance, KvEntry, Node, State, Status, TaggedAddress, Topic, Weights,
};

/// The state behind the answer to `topic`; `body` is `None` for something that does not exist.
pub(super) fn state(topic: &Topic, index: Index, body: Option<&[u8]>) -> Result<State, String> {
    let changes = match body {
        None => Vec::new(),
        Some(body) => changes(topic, body).map_err(|error| format!("the answer makes no sense: {error}"))?,
    };
    Ok(State::restored(index, changes))
}

fn changes(topic: &Topic, body: &[u8]) -> serde_json::Result<Vec<Change>> {
    Ok(match topic {
        Topic::Services => services(serde_json::from_slice(body)?),
        Topic::Health(_) => members(serde_json::from_slice::<Option<_>>(body)?.unwrap_or_default()),
        Topic::Nodes => {
            let nodes = serde_json::from_slice::<Option<Vec<NodeAnswer>>>(body)?.unwrap_or_default();
            nodes.into_iter().map(|node| Change::PutNode(Arc::new(node.into()))).collect()
        }
        Topic::Node(_) => serde_json::from_slice::<Option<NodeServices>>(body)?.map_or(Vec::new(), node),
        Topic::Key(_) | Topic::KeyPrefix(_) => {
            let keys = serde_json::from_slice::<Option<Vec<KeyAnswer>>>(body)?.unwrap_or_default();
            keys.into_iter().map(|key| Change::PutKey(Arc::new(key.into()))).collect()
        }
        _ => Vec::new(),
    })
}

/// Names and tags, each as the one instance of a nameless node.
fn services(names: BTreeMap<String, Option<Vec<String>>>) -> Vec<Change> {
    let node = Node::new("", "");
    let instances = names.into_iter().map(|(name, tags)| Instance {
        tags: tags.unwrap_or_default(),
        ..Instance::new(node.name.clone(), name.as_str(), name.as_str())
    });
    let instances: Vec<_> = instances.map(|instance| Change::PutInstance(Arc::new(instance))).collect();
    [Change::PutNode(Arc::new(node))].into_iter().chain(instances).collect()
}

fn members(members: Vec<MemberAnswer>) -> Vec<Change> {
    let mut changes = Vec::new();
    for MemberAnswer { node, service, checks } in members {
        let name: Arc<str> = node.node.as_str().into();
        changes.push(Change::PutNode(Arc::new(node.into())));
        changes.push(Change::PutInstance(Arc::new(service.on(&name))));
        let checks = checks.unwrap_or_default().into_iter();
        changes.extend(checks.map(|check| Change::PutCheck(Arc::new(check.into()))));
    }
    changes
}

fn node(answer: NodeServices) -> Vec<Change> {
    let name: Arc<str> = answer.node.node.as_str().into();
    let instances = answer.services.unwrap_or_default().into_values();
    let instances = instances.map(|service| Change::PutInstance(Arc::new(service.on(&name))));
    let instances: Vec<_> = instances.collect();
    [Change::PutNode(Arc::new(answer.node.into()))].into_iter().chain(instances).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NodeAnswer {
    #[serde(rename = "ID", default, deserialize_with = "or_default")]
    id: String,
    node: String,
    #[serde(default, deserialize_with = "or_default")]
    address: String,
    #[serde(default, deserialize_with = "or_default")]
    tagged_addresses: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_default")]
    meta: BTreeMap<String, String>,
    #[serde(default)]
    create_index: Index,
    #[serde(default)]
    modify_index: Index,
}

impl From<NodeAnswer> for Node {
    fn from(answer: NodeAnswer) -> Self {
        Self {
            id: answer.id,
            tagged_addresses: answer.tagged_addresses,
            meta: answer.meta,
            created: answer.create_index,
            modified: answer.modify_index,
            ..Self::new(answer.node.as_str(), answer.address)
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NodeServices {
    node: NodeAnswer,
    services: Option<BTreeMap<String, ServiceAnswer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MemberAnswer {
    node: NodeAnswer,
    service: ServiceAnswer,
    checks: Option<Vec<CheckAnswer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ServiceAnswer {
    #[serde(rename = "ID")]
    id: String,
    service: String,
    #[serde(default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    tags: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    address: String,
    #[serde(default, deserialize_with = "or_default")]
    tagged_addresses: BTreeMap<String, AddressAnswer>,
    #[serde(default, deserialize_with = "or_default")]
    meta: BTreeMap<String, String>,
    #[serde(default)]
    port: i64,
    #[serde(default)]
    weights: Option<WeightsAnswer>,
    #[serde(default)]
    enable_tag_override: bool,
    #[serde(default)]
    create_index: Index,
    #[serde(default)]
    modify_index: Index,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AddressAnswer {
    address: String,
    #[serde(default)]
    port: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WeightsAnswer {
    #[serde(default)]
    passing: u16,
    #[serde(default)]
    warning: u16,
}

impl ServiceAnswer {
    fn on(self, node: &Arc<str>) -> Instance {
        let port = u16::try_from(self.port);
        let tagged = self.tagged_addresses.into_iter();
        Instance {
            tags: self.tags,
            address: self.address,
            port: port.unwrap_or(0),
            odd_port: port.is_err().then_some(self.port),
            tagged_addresses: tagged
                .map(|(label, at)| (label, TaggedAddress { address: at.address, port: at.port }))
                .collect(),
            meta: self.meta,
            weights: self.weights.map_or(Weights::default(), |weights| Weights {
                passing: weights.passing,
                warning: weights.warning,
            }),
            enable_tag_override: self.enable_tag_override,
            kind: self.kind,
            created: self.create_index,
            modified: self.modify_index,
            ..Instance::new(node.clone(), self.id.as_str(), self.service.as_str())
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CheckAnswer {
    node: String,
    #[serde(rename = "CheckID")]
    check_id: String,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    status: String,
    #[serde(default, deserialize_with = "or_default")]
    notes: String,
    #[serde(default, deserialize_with = "or_default")]
    output: String,
    #[serde(rename = "ServiceID", default, deserialize_with = "or_default")]
    service_id: String,
    #[serde(default, deserialize_with = "or_default")]
    service_name: String,
    #[serde(default, deserialize_with = "or_default")]
    service_tags: Vec<String>,
    #[serde(rename = "Type", default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default)]
    create_index: Index,
    #[serde(default)]
    modify_index: Index,
}

impl From<CheckAnswer> for Check {
    fn from(answer: CheckAnswer) -> Self {
        let status = answer.status.parse::<Status>();
        Self {
            odd_status: status.is_err().then_some(answer.status),
            status: status.unwrap_or(Status::Critical),
            notes: answer.notes,
            output: answer.output,
            instance: Some(answer.service_id).filter(|id| !id.is_empty()).map(Arc::from),
            service: answer.service_name.into(),
            service_tags: answer.service_tags,
            type_label: answer.kind,
            created: answer.create_index,
            modified: answer.modify_index,
            ..Self::new(answer.node.as_str(), answer.check_id.as_str(), answer.name)
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyAnswer {
    key: String,
    #[serde(default, deserialize_with = "base64")]
    value: Vec<u8>,
    #[serde(default)]
    flags: u64,
    #[serde(default)]
    session: Option<String>,
    #[serde(default)]
    lock_index: u64,
    #[serde(default)]
    create_index: Index,
    #[serde(default)]
    modify_index: Index,
}

impl From<KeyAnswer> for KvEntry {
    fn from(answer: KeyAnswer) -> Self {
        Self {
            key: answer.key.into(),
            value: answer.value.into(),
            flags: answer.flags,
            session: answer.session.map(Arc::from),
            lock_index: answer.lock_index,
            created: answer.create_index,
            modified: answer.modify_index,
        }
    }
}

/// Consul writes `null` for what is empty.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn base64<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    use ::base64::{Engine as _, engine::general_purpose::STANDARD};
    let text: Option<String> = Option::deserialize(from)?;
    STANDARD.decode(text.unwrap_or_default()).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use wharf_catalog::Health;

    use super::*;

    #[test]
    fn instances_come_with_everything_that_decides_their_health() {
        let body = br#"[{"Node":{"ID":"","Node":"n1","Address":"10.0.0.1","TaggedAddresses":null,"Meta":null},
            "Service":{"ID":"web-1","Service":"web","Tags":null,"Address":"","Meta":null,"Port":-1,
                       "Weights":{"Passing":5,"Warning":1}},
            "Checks":[{"Node":"n1","CheckID":"serfHealth","Status":"passing","ServiceID":""},
                      {"Node":"n1","CheckID":"c","Status":"warning","ServiceID":"web-1","ServiceName":"web"}]}]"#;
        let state = state(&Topic::Health("web".into()), Index(7), Some(body)).unwrap();
        let found: Vec<_> = state.service_health("web").collect();
        assert_eq!((found[0].health(), found[0].address()), (Health::Warning, "10.0.0.1"));
        assert_eq!((found[0].instance.port, found[0].instance.odd_port), (0, Some(-1)));
        assert_eq!(found[0].instance.weights.passing, 5);
    }

    #[test]
    fn names_keys_and_nothing_are_read() {
        let names = state(&Topic::Services, Index(1), Some(br#"{"web":["a"],"db":null}"#)).unwrap();
        let tags: Vec<_> = names.service("web").flat_map(|i| i.tags.clone()).collect();
        assert_eq!((names.service_names().count(), tags), (2, vec!["a".to_owned()]));
        let key = Topic::Key("a".into());
        let found = state(&key, Index(1), Some(br#"[{"Key":"a","Value":"aGk=","Flags":0}]"#)).unwrap();
        assert_eq!(&*found.kv("a").unwrap().value, b"hi");
        assert!(state(&key, Index(1), None).unwrap().kv("a").is_none());
        let node = Topic::Node("n".into());
        assert_eq!(state(&node, Index(1), Some(b"null")).unwrap().nodes().count(), 0);
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for body in [&b""[..], b"<html>", b"[1]", b"{\"a\":1}"] {
            assert!(state(&Topic::Health("a".into()), Index(1), Some(body)).is_err());
        }
    }
}
