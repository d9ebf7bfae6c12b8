//! What can be asked of each kind of record. Source: the filtering tables of the Consul API pages, 1.8.

use wharf_catalog_filter::{Field, Shape};

const fn text(name: &'static str) -> Field {
    Field::new(name, Shape::Text)
}

const fn number(name: &'static str) -> Field {
    Field::new(name, Shape::Number)
}

const fn flag(name: &'static str) -> Field {
    Field::new(name, Shape::Flag)
}

const TEXTS: Shape = Shape::Map(&Shape::Text);
const ADDRESSES: Shape = Shape::Map(&Shape::Record(&[text("Address"), number("Port")]));
const WEIGHTS: Shape = Shape::Record(&[number("Passing"), number("Warning")]);
const GATEWAY: Shape = Shape::Record(&[text("Mode")]);

/// How a service is part of a mesh. No service here is: all of it is empty.
pub(super) const PROXY: Shape = Shape::Record(&[
    text("DestinationServiceName"),
    text("DestinationServiceID"),
    text("LocalServiceAddress"),
    number("LocalServicePort"),
    Field::new("Upstreams", Shape::List(UPSTREAM)),
    Field::new("MeshGateway", GATEWAY),
    Field::new("Expose", EXPOSE),
]);

const UPSTREAM: &[Field] = &[
    text("DestinationType"),
    text("DestinationNamespace"),
    text("DestinationName"),
    text("Datacenter"),
    text("LocalBindAddress"),
    number("LocalBindPort"),
    Field::new("MeshGateway", GATEWAY),
];

const EXPOSE: Shape = Shape::Record(&[
    flag("Checks"),
    Field::new(
        "Paths",
        Shape::List(&[
            number("ListenerPort"),
            text("Path"),
            number("LocalPathPort"),
            text("Protocol"),
            flag("ParsedFromCheck"),
        ]),
    ),
]);

/// The same of what speaks for itself in a mesh.
pub(super) const CONNECT: Shape = Shape::Record(&[flag("Native")]);

/// `catalog/nodes`.
pub(crate) const NODE: &[Field] = &[
    text("ID"),
    text("Node"),
    text("Address"),
    text("Datacenter"),
    Field::new("TaggedAddresses", TEXTS),
    Field::new("Meta", TEXTS),
];

/// `agent/services`, `catalog/node`, `catalog/node-services`.
pub(crate) const SERVICE: &[Field] = &[
    text("Kind"),
    text("ID"),
    text("Service"),
    Field::new("Tags", Shape::Texts),
    text("Address"),
    Field::new("TaggedAddresses", ADDRESSES),
    Field::new("Meta", TEXTS),
    number("Port"),
    Field::new("Weights", WEIGHTS),
    flag("EnableTagOverride"),
    Field::new("Proxy", PROXY),
    Field::new("Connect", CONNECT),
];

/// `catalog/service`, `catalog/connect`; `catalog/services` of later versions.
pub(crate) const CATALOG_SERVICE: &[Field] = &[
    text("ID"),
    text("Node"),
    text("Address"),
    text("Datacenter"),
    Field::new("TaggedAddresses", TEXTS),
    Field::new("NodeMeta", TEXTS),
    text("ServiceKind"),
    text("ServiceID"),
    text("ServiceName"),
    Field::new("ServiceTags", Shape::Texts),
    text("ServiceAddress"),
    Field::new("ServiceTaggedAddresses", ADDRESSES),
    Field::new("ServiceWeights", WEIGHTS),
    Field::new("ServiceMeta", TEXTS),
    number("ServicePort"),
    flag("ServiceEnableTagOverride"),
    Field::new("ServiceProxy", PROXY),
    Field::new("ServiceConnect", CONNECT),
];

/// `agent/checks`, `health/node`, `health/checks`, `health/state`.
pub(crate) const CHECK: &[Field] = &[
    text("Node"),
    text("CheckID"),
    text("Name"),
    text("Status"),
    text("Notes"),
    text("Output"),
    text("ServiceID"),
    text("ServiceName"),
    Field::new("ServiceTags", Shape::Texts),
    text("Type"),
];

/// `health/service`, `health/connect`.
pub(crate) const ENTRY: &[Field] = &[
    Field::new("Node", Shape::Record(NODE)),
    Field::new("Service", Shape::Record(SERVICE)),
    Field::new("Checks", Shape::List(CHECK)),
];
