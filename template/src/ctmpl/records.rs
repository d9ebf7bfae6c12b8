//! The records that queries give, with the fields and methods consul-template gives them.

use std::{any::Any, collections::BTreeMap, sync::Arc};

use wharf_catalog::{Check, Health, Instance, KvEntry, Node, TaggedAddress, Weights};
use wharf_gotemplate::{
    Entries, Field, Key, Method, NamedType, Record, Signature, StructType, Type, UintKind, Value,
};

use crate::eval::Found;

const fn field(name: &'static str, ty: Type) -> Field {
    Field { name, ty }
}

macro_rules! record {
    ($type:ty, $shape:ident, $self:ident, $index:ident, $body:expr) => {
        record!($type, $shape, $self, $index, $body, false);
    };
    ($type:ty, $shape:ident, $self:ident, $index:ident, $body:expr, $by_value:literal) => {
        impl Record for $type {
            fn shape(&self) -> &'static StructType {
                &$shape
            }

            fn field(&$self, $index: usize) -> Value {
                $body
            }

            fn by_value(&self) -> bool {
                $by_value
            }

            fn as_any(&self) -> &dyn Any {
                self
            }
        }
    };
}

fn int(value: impl Into<i64>) -> Value {
    Value::int(value.into())
}

fn uint64(value: u64) -> Value {
    Value::Uint(UintKind::Uint64, value)
}

/// A map of texts; nothing in it reads as the server's `null`.
fn texts(map: &BTreeMap<String, String>) -> Value {
    if map.is_empty() {
        return Value::nil_map(Type::TEXTS);
    }
    let entries = map.iter().map(|(key, value)| (Key::from(key.as_str()), Value::from(value.as_str())));
    Value::map(Type::TEXTS, entries.collect::<Entries>())
}

/// Tags, sorted.
pub(super) fn tags<'a>(tags: impl Iterator<Item = &'a str>) -> Value {
    let mut sorted: Vec<_> = tags.collect();
    sorted.sort_unstable();
    Value::list(Type::Named(&TAGS), sorted.into_iter().map(Value::from).collect())
}

static TAGS: NamedType = NamedType {
    name: "dependency.ServiceTags",
    underlying: Type::STRINGS,
    methods: &[Method {
        name: "Contains",
        signature: Signature::new(&[Type::String]),
        call: |tags, args| {
            let wanted = super::bytes(args, 0);
            let Value::List(tags) = tags else {
                return Ok(Value::Bool(false));
            };
            let found = tags.items().iter().any(|tag| matches!(tag, Value::String(tag) if **tag == *wanted));
            Ok(Value::Bool(found))
        },
    }],
};

/// A service instance, as `service` gives it.
#[derive(Debug)]
pub(super) struct ServiceInstance {
    pub(super) found: Found,
    pub(super) datacenter: Arc<str>,
}

pub(super) static SERVICE: StructType = StructType {
    name: "dependency.HealthService",
    fields: &[
        field("Node", Type::String),
        field("NodeID", Type::String),
        field("Kind", Type::String),
        field("NodeAddress", Type::String),
        field("NodeDatacenter", Type::String),
        field("NodeTaggedAddresses", Type::TEXTS),
        field("NodeMeta", Type::TEXTS),
        field("ServiceMeta", Type::TEXTS),
        field("Address", Type::String),
        field("ServiceTaggedAddresses", ADDRESSES),
        field("ID", Type::String),
        field("Name", Type::String),
        field("Tags", Type::Named(&TAGS)),
        field("Checks", Type::Named(&CHECKS)),
        field("Status", Type::String),
        field("Port", Type::INT),
        field("Weights", Type::Struct(&WEIGHTS)),
    ],
    methods: &[],
};

record!(ServiceInstance, SERVICE, self, index, {
    let Found { node, instance, checks, health } = &self.found;
    match index {
        0 => super::shared(&node.name),
        1 => node.id.as_str().into(),
        2 => instance.kind.as_str().into(),
        3 => node.address.as_str().into(),
        4 => super::shared(&self.datacenter),
        5 => texts(&node.tagged_addresses),
        6 => texts(&node.meta),
        7 => texts(&instance.meta),
        8 => self.address().into(),
        9 => addresses(&instance.tagged_addresses),
        10 => super::shared(&instance.id),
        11 => super::shared(&instance.name),
        12 => tags(instance.tags.iter().map(String::as_str)),
        13 => {
            let checks = checks.iter().map(|check| Value::record(ServiceCheck(check.clone())));
            Value::list(Type::Named(&CHECKS), checks.collect())
        }
        14 => health_word(*health).into(),
        15 => int(instance.port),
        _ => Value::record(ServiceWeights(instance.weights)),
    }
});

impl ServiceInstance {
    fn address(&self) -> &str {
        self.found.address()
    }

    pub(super) fn tag_values(&self) -> impl Iterator<Item = &str> {
        let mut tags: Vec<_> = self.found.instance.tags.iter().map(String::as_str).collect();
        tags.sort_unstable();
        tags.into_iter()
    }
}

/// A drain is a maintenance to whoever knows no drains.
fn health_word(health: Health) -> &'static str {
    match health {
        Health::Draining => Health::Maintenance.as_str(),
        other => other.as_str(),
    }
}

const ADDRESSES: Type = Type::Map(&Type::String, &Type::Struct(&ADDRESS));

static ADDRESS: StructType = StructType {
    name: "api.ServiceAddress",
    fields: &[field("Address", Type::String), field("Port", Type::INT)],
    methods: &[],
};

#[derive(Debug)]
struct ServiceAddress(TaggedAddress);

record!(
    ServiceAddress,
    ADDRESS,
    self,
    index,
    match index {
        0 => self.0.address.as_str().into(),
        _ => int(self.0.port),
    },
    true
);

fn addresses(map: &BTreeMap<String, TaggedAddress>) -> Value {
    if map.is_empty() {
        return Value::nil_map(ADDRESSES);
    }
    let entry = |(key, address): (&String, &TaggedAddress)| {
        (Key::from(key.as_str()), Value::record(ServiceAddress(address.clone())))
    };
    Value::map(ADDRESSES, map.iter().map(entry).collect())
}

static WEIGHTS: StructType = StructType {
    name: "api.AgentWeights",
    fields: &[field("Passing", Type::INT), field("Warning", Type::INT)],
    methods: &[],
};

#[derive(Debug)]
struct ServiceWeights(Weights);

record!(
    ServiceWeights,
    WEIGHTS,
    self,
    index,
    match index {
        0 => int(self.0.passing),
        _ => int(self.0.warning),
    },
    true
);

static CHECKS: NamedType = NamedType {
    name: "api.HealthChecks",
    underlying: Type::Slice(&Type::Pointer(&CHECK)),
    methods: &[Method {
        name: "AggregatedStatus",
        signature: Signature::new(&[]),
        call: |checks, _| {
            let Value::List(checks) = checks else {
                return Ok("".into());
            };
            let checks = checks.items().iter().filter_map(|check| match check {
                Value::Record(check) => check.as_any().downcast_ref::<ServiceCheck>(),
                _ => None,
            });
            Ok(health_word(Health::of(checks.map(|check| check.0.as_ref()))).into())
        },
    }],
};

/// A check, as `.Checks` lists it.
#[derive(Debug)]
struct ServiceCheck(Arc<Check>);

static CHECK: StructType = StructType {
    name: "api.HealthCheck",
    fields: &[
        field("Node", Type::String),
        field("CheckID", Type::String),
        field("Name", Type::String),
        field("Status", Type::String),
        field("Notes", Type::String),
        field("Output", Type::String),
        field("ServiceID", Type::String),
        field("ServiceName", Type::String),
        field("ServiceTags", Type::STRINGS),
        field("Type", Type::String),
        field("CreateIndex", Type::UINT64),
        field("ModifyIndex", Type::UINT64),
    ],
    methods: &[],
};

record!(ServiceCheck, CHECK, self, index, {
    let check = &self.0;
    match index {
        0 => super::shared(&check.node),
        1 => super::shared(&check.id),
        2 => check.name.as_str().into(),
        3 => check.status_word().into(),
        4 => check.notes.as_str().into(),
        5 => check.output.as_str().into(),
        6 => check.instance.as_ref().map_or_else(|| "".into(), super::shared),
        7 => super::shared(&check.service),
        8 => Value::strings(check.service_tags.iter().map(String::as_str)),
        9 => check.type_label.as_str().into(),
        10 => uint64(check.created.0),
        _ => uint64(check.modified.0),
    }
});

/// A service by name, as `services` lists it.
#[derive(Debug)]
pub(super) struct ServiceName {
    pub(super) name: Arc<str>,
    pub(super) tags: Vec<String>,
}

pub(super) static SNIPPET: StructType = StructType {
    name: "dependency.CatalogSnippet",
    fields: &[field("Name", Type::String), field("Tags", Type::Named(&TAGS))],
    methods: &[],
};

record!(
    ServiceName,
    SNIPPET,
    self,
    index,
    match index {
        0 => super::shared(&self.name),
        _ => tags(self.tags.iter().map(String::as_str)),
    }
);

/// A node, as `nodes` lists it.
#[derive(Debug)]
pub(super) struct NodeRecord {
    pub(super) node: Arc<Node>,
    pub(super) datacenter: Arc<str>,
}

pub(super) static NODE: StructType = StructType {
    name: "dependency.Node",
    fields: &[
        field("ID", Type::String),
        field("Node", Type::String),
        field("Address", Type::String),
        field("Datacenter", Type::String),
        field("TaggedAddresses", Type::TEXTS),
        field("Meta", Type::TEXTS),
    ],
    methods: &[],
};

record!(
    NodeRecord,
    NODE,
    self,
    index,
    match index {
        0 => self.node.id.as_str().into(),
        1 => super::shared(&self.node.name),
        2 => self.node.address.as_str().into(),
        3 => super::shared(&self.datacenter),
        4 => texts(&self.node.tagged_addresses),
        _ => texts(&self.node.meta),
    }
);

/// A node with its services, as `node` gives it.
#[derive(Debug)]
pub(super) struct NodeWithServices {
    /// `None`: there is no such node.
    pub(super) node: Option<(Arc<Node>, Arc<str>)>,
    pub(super) services: Vec<Arc<Instance>>,
}

const NODE_SERVICES: Type = Type::Slice(&Type::Pointer(&NODE_SERVICE));

static NODE_WITH_SERVICES: StructType = StructType {
    name: "dependency.CatalogNode",
    fields: &[field("Node", Type::Pointer(&NODE)), field("Services", NODE_SERVICES)],
    methods: &[],
};

record!(
    NodeWithServices,
    NODE_WITH_SERVICES,
    self,
    index,
    match (index, &self.node) {
        (0, Some((node, datacenter))) => {
            Value::record(NodeRecord { node: node.clone(), datacenter: datacenter.clone() })
        }
        (0, None) => Value::NilPointer(&NODE),
        (_, None) => Value::nil_list(NODE_SERVICES),
        (_, Some(_)) => {
            let services = self.services.iter().map(|service| Value::record(NodeService(service.clone())));
            Value::list(NODE_SERVICES, services.collect())
        }
    }
);

#[derive(Debug)]
struct NodeService(Arc<Instance>);

static NODE_SERVICE: StructType = StructType {
    name: "dependency.CatalogNodeService",
    fields: &[
        field("ID", Type::String),
        field("Service", Type::String),
        field("Tags", Type::Named(&TAGS)),
        field("Meta", Type::TEXTS),
        field("Port", Type::INT),
        field("Address", Type::String),
        field("EnableTagOverride", Type::Bool),
    ],
    methods: &[],
};

record!(NodeService, NODE_SERVICE, self, index, {
    let service = &self.0;
    match index {
        0 => super::shared(&service.id),
        1 => super::shared(&service.name),
        2 => tags(service.tags.iter().map(String::as_str)),
        3 => texts(&service.meta),
        4 => int(service.port),
        5 => service.address.as_str().into(),
        _ => service.enable_tag_override.into(),
    }
});

/// A key with its value, as `ls` and `tree` list it.
#[derive(Debug, Clone)]
pub(super) struct KeyPair {
    /// `None`: it does not exist.
    pub(super) entry: Option<Arc<KvEntry>>,
    pub(super) path: Arc<str>,
    pub(super) key: String,
}

pub(super) static KEY_PAIR: StructType = StructType {
    name: "dependency.KeyPair",
    fields: &[
        field("Path", Type::String),
        field("Key", Type::String),
        field("Value", Type::String),
        field("Exists", Type::Bool),
        field("CreateIndex", Type::UINT64),
        field("ModifyIndex", Type::UINT64),
        field("LockIndex", Type::UINT64),
        field("Flags", Type::UINT64),
        field("Session", Type::String),
    ],
    methods: &[],
};
/// A list of keys with their values.
pub(crate) const KEY_PAIRS: Type = Type::Slice(&Type::Pointer(&KEY_PAIR));

record!(KeyPair, KEY_PAIR, self, index, {
    let entry = self.entry.as_deref();
    let number = |of: fn(&KvEntry) -> u64| uint64(entry.map_or(0, of));
    match index {
        0 => super::shared(&self.path),
        1 => self.key.as_str().into(),
        2 => self.value(),
        3 => entry.is_some().into(),
        4 => number(|entry| entry.created.0),
        5 => number(|entry| entry.modified.0),
        6 => number(|entry| entry.lock_index),
        7 => number(|entry| entry.flags),
        _ => entry.and_then(|entry| entry.session.as_ref()).map_or_else(|| "".into(), super::shared),
    }
});

impl KeyPair {
    pub(super) fn value(&self) -> Value {
        self.entry.as_ref().map_or_else(|| "".into(), |entry| Value::from(entry.value.clone()))
    }
}

/// Something by name only, as `partitions` lists it.
#[derive(Debug)]
pub(super) struct Partition;

pub(super) static PARTITION: StructType = StructType {
    name: "dependency.Partition",
    fields: &[field("Name", Type::String), field("Description", Type::String)],
    methods: &[],
};

record!(
    Partition,
    PARTITION,
    self,
    index,
    match index {
        0 => "default".into(),
        _ => "".into(),
    }
);

/// Never listed: there are no peers.
pub(super) static PEERING: StructType =
    StructType { name: "dependency.Peering", fields: &[field("Name", Type::String)], methods: &[] };
/// Never listed: nothing is exported or imported.
pub(super) static SHARED_SERVICE: StructType = StructType {
    name: "dependency.ExportedService",
    fields: &[field("Service", Type::String)],
    methods: &[],
};
