//! The rows: one for each path, in families.

/// A path.
#[derive(Debug)]
pub(super) struct Row {
    /// With names in braces.
    pub(super) path: &'static str,
    /// Method and summary.
    pub(super) methods: &'static [(&'static str, &'static str)],
    /// Parameters in the query string.
    pub(super) parameters: &'static [&'static str],
    /// Can a read wait for a change?
    pub(super) blocking: bool,
}

const fn row(
    path: &'static str,
    methods: &'static [(&'static str, &'static str)],
    parameters: &'static [&'static str],
) -> Row {
    Row { path, methods, parameters, blocking: false }
}

/// A row whose reads can wait for a change.
const fn watched(
    path: &'static str,
    methods: &'static [(&'static str, &'static str)],
    parameters: &'static [&'static str],
) -> Row {
    Row { path, methods, parameters, blocking: true }
}

/// Every path, by family.
pub(super) const FAMILIES: &[(&str, &[Row])] = &[
    ("agent", AGENT),
    ("catalog", CATALOG),
    ("health", HEALTH),
    ("kv", KV),
    ("session", SESSION),
    ("txn", TXN),
    ("query", QUERY),
    ("config", CONFIG),
    ("event", EVENT),
    ("status", STATUS),
    ("coordinate", COORDINATE),
    ("operator", OPERATOR),
    ("snapshot", SNAPSHOT),
    ("acl (off)", ACL),
    ("connect (none)", CONNECT),
    ("internal", INTERNAL),
    ("description", DESCRIPTION),
];

const AGENT: &[Row] = &[
    row("/v1/agent/self", &[("GET", "Who this agent is")], &[]),
    row("/v1/agent/members", &[("GET", "The members of the cluster: this server")], &["wan", "segment"]),
    row("/v1/agent/host", &[("GET", "The machine this agent runs on")], &[]),
    row("/v1/agent/metrics", &[("GET", "The process's metrics")], &["format"]),
    row("/v1/agent/services", &[("GET", "This agent's services, by id")], &["filter"]),
    row("/v1/agent/checks", &[("GET", "This agent's checks, by id")], &["filter"]),
    row(
        "/v1/agent/maintenance",
        &[("PUT", "Take this node out of rotation, or back in")],
        &["enable", "reason"],
    ),
    row("/v1/agent/leave", &[("PUT", "Stop this server")], &[]),
    row("/v1/agent/reload", &[("PUT", "Accepted; settings are read at the start")], &[]),
    row("/v1/agent/join/{address}", &[("PUT", "Refused: a single server joins no others")], &["wan"]),
    row("/v1/agent/force-leave/{node}", &[("PUT", "Refused unless it names this server")], &["prune"]),
    row("/v1/agent/token/{kind}", &[("PUT", "Refused: access control is off")], &[]),
    row(
        "/v1/agent/service/register",
        &[("PUT", "Register a service with its checks")],
        &["replace-existing-checks"],
    ),
    row(
        "/v1/agent/service/{id}",
        &[("GET", "One of this agent's services; waits on its hash")],
        &["hash", "wait"],
    ),
    row("/v1/agent/service/deregister/{id}", &[("PUT", "Remove a service and its checks")], &[]),
    row(
        "/v1/agent/service/maintenance/{id}",
        &[("PUT", "Take a service out of rotation, or back in")],
        &["enable", "reason"],
    ),
    row(
        "/v1/agent/health/service/id/{id}",
        &[("GET", "The health of one service, in the status code too")],
        &["format"],
    ),
    row(
        "/v1/agent/health/service/name/{name}",
        &[("GET", "The health of all instances of a service")],
        &["format"],
    ),
    row("/v1/agent/check/register", &[("PUT", "Register a check")], &[]),
    row("/v1/agent/check/deregister/{id}", &[("PUT", "Remove a check")], &[]),
    row("/v1/agent/check/pass/{id}", &[("PUT", "Report a TTL check as passing")], &["note"]),
    row("/v1/agent/check/warn/{id}", &[("PUT", "Report a TTL check as warning")], &["note"]),
    row("/v1/agent/check/fail/{id}", &[("PUT", "Report a TTL check as critical")], &["note"]),
    row("/v1/agent/check/update/{id}", &[("PUT", "Report a TTL check with an output")], &[]),
];

const CATALOG: &[Row] = &[
    row("/v1/catalog/register", &[("PUT", "Register a node, a service on it, and checks")], &["dc"]),
    row("/v1/catalog/deregister", &[("PUT", "Remove a node, a service or a check")], &["dc"]),
    row("/v1/catalog/datacenters", &[("GET", "The datacenters: this one")], &[]),
    watched("/v1/catalog/nodes", &[("GET", "All nodes")], &["node-meta", "near", "filter"]),
    watched(
        "/v1/catalog/services",
        &[("GET", "The names of all services with their tags")],
        &["node-meta", "filter", "cached"],
    ),
    watched(
        "/v1/catalog/service/{name}",
        &[("GET", "The instances of a service")],
        &["tag", "node-meta", "near", "filter", "cached"],
    ),
    watched(
        "/v1/catalog/connect/{name}",
        &[("GET", "The mesh proxies of a service")],
        &["tag", "node-meta", "near", "filter", "cached"],
    ),
    watched("/v1/catalog/node/{node}", &[("GET", "A node with its services by id")], &["filter"]),
    watched(
        "/v1/catalog/node-services/{node}",
        &[("GET", "A node with a list of its services")],
        &["filter"],
    ),
    watched(
        "/v1/catalog/gateway-services/{gateway}",
        &[("GET", "What is behind a gateway: nothing, there are none")],
        &["cached"],
    ),
];

const HEALTH: &[Row] = &[
    watched(
        "/v1/health/service/{name}",
        &[("GET", "The instances of a service with their checks")],
        &["passing", "tag", "node-meta", "near", "filter", "cached"],
    ),
    watched(
        "/v1/health/connect/{name}",
        &[("GET", "The mesh proxies of a service with their checks")],
        &["passing", "tag", "node-meta", "near", "filter", "cached"],
    ),
    watched(
        "/v1/health/ingress/{gateway}",
        &[("GET", "The ingress gateways of a service: none")],
        &["cached"],
    ),
    watched(
        "/v1/health/checks/{name}",
        &[("GET", "The checks of a service")],
        &["node-meta", "near", "filter"],
    ),
    watched("/v1/health/node/{node}", &[("GET", "The checks of a node and its services")], &["filter"]),
    watched(
        "/v1/health/state/{state}",
        &[("GET", "The checks in a state")],
        &["node-meta", "near", "filter"],
    ),
];

const KV: &[Row] = &[watched(
    "/v1/kv/{key}",
    &[("GET", "A key, or all under it"), ("PUT", "Set a key"), ("DELETE", "Remove a key, or all under it")],
    &["raw", "recurse", "keys", "separator", "flags", "cas", "acquire", "release"],
)];

const QUERY: &[Row] = &[
    watched("/v1/query", &[("GET", "All prepared queries"), ("POST", "Keep a new prepared query")], &[]),
    watched(
        "/v1/query/{id}",
        &[
            ("GET", "A prepared query; with `/execute` its answer, with `/explain` what it would ask"),
            ("PUT", "Change a prepared query"),
            ("DELETE", "Remove a prepared query"),
        ],
        &["limit", "near", "connect"],
    ),
];

const CONFIG: &[Row] = &[
    row("/v1/config", &[("PUT", "Keep a configuration entry")], &["cas"]),
    watched(
        "/v1/config/{kind}",
        &[
            ("GET", "A configuration entry (`kind/name`), or all of a kind"),
            ("DELETE", "Remove a configuration entry (`kind/name`)"),
        ],
        &["cas"],
    ),
];

const EVENT: &[Row] = &[
    row("/v1/event/fire/{name}", &[("PUT", "Tell an event to everybody")], &["node", "service", "tag"]),
    row("/v1/event/list", &[("GET", "The last events; waits on their index")], &["name", "index", "wait"]),
];

const STATUS: &[Row] = &[
    row("/v1/status/leader", &[("GET", "The address of the server that leads: this one")], &["dc"]),
    row("/v1/status/peers", &[("GET", "The addresses of all servers: this one")], &["dc"]),
];

const COORDINATE: &[Row] = &[
    row("/v1/coordinate/datacenters", &[("GET", "Where the servers are in network space")], &[]),
    watched("/v1/coordinate/nodes", &[("GET", "Where the nodes are in network space")], &["node-meta"]),
    watched("/v1/coordinate/node/{node}", &[("GET", "Where a node is in network space")], &[]),
    row("/v1/coordinate/update", &[("PUT", "Taken and forgotten: nobody measures distances here")], &["dc"]),
];

const OPERATOR: &[Row] = &[
    row("/v1/operator/raft/configuration", &[("GET", "The servers: this one")], &["dc"]),
    row("/v1/operator/raft/peer", &[("DELETE", "Refused: the only server stays")], &["id", "address"]),
    row(
        "/v1/operator/autopilot/configuration",
        &[("GET", "Settings of autopilot"), ("PUT", "Change the settings of autopilot")],
        &["cas"],
    ),
    row("/v1/operator/autopilot/health", &[("GET", "Is the server well?")], &[]),
    row(
        "/v1/operator/keyring",
        &[
            ("GET", "Refused: there is no gossip to encrypt"),
            ("POST", "Refused: there is no gossip to encrypt"),
            ("PUT", "Refused: there is no gossip to encrypt"),
            ("DELETE", "Refused: there is no gossip to encrypt"),
        ],
        &["relay-factor"],
    ),
];

const SNAPSHOT: &[Row] = &[row(
    "/v1/snapshot",
    &[("GET", "The whole catalog in one file"), ("PUT", "Put a snapshot in the place of everything")],
    &["dc"],
)];

const ACL: &[Row] = &[
    row("/v1/acl/bootstrap", &[("PUT", "Refused: access control is off")], &[]),
    row("/v1/acl/login", &[("POST", "Refused: access control is off")], &[]),
    row("/v1/acl/logout", &[("POST", "Refused: access control is off")], &[]),
    row("/v1/acl/replication", &[("GET", "Refused: access control is off")], &[]),
    row("/v1/acl/create", &[("PUT", "Refused: access control is off")], &[]),
    row("/v1/acl/update", &[("PUT", "Refused: access control is off")], &[]),
    row("/v1/acl/list", &[("GET", "Refused: access control is off")], &[]),
    row("/v1/acl/rules/translate", &[("POST", "Refused: access control is off")], &[]),
    row("/v1/acl/tokens", &[("GET", "Refused: access control is off")], &[]),
    row("/v1/acl/token", &[("PUT", "Refused: access control is off")], &[]),
    row("/v1/acl/token/self", &[("GET", "Refused: access control is off")], &[]),
    row("/v1/acl/policies", &[("GET", "Refused: access control is off")], &[]),
    row("/v1/acl/policy", &[("PUT", "Refused: access control is off")], &[]),
    row("/v1/acl/roles", &[("GET", "Refused: access control is off")], &[]),
    row("/v1/acl/role", &[("PUT", "Refused: access control is off")], &[]),
    row("/v1/acl/binding-rules", &[("GET", "Refused: access control is off")], &[]),
    row("/v1/acl/binding-rule", &[("PUT", "Refused: access control is off")], &[]),
    row("/v1/acl/auth-methods", &[("GET", "Refused: access control is off")], &[]),
    row("/v1/acl/auth-method", &[("PUT", "Refused: access control is off")], &[]),
    row("/v1/acl/authorize", &[("POST", "Refused: access control is off")], &[]),
    row("/v1/acl/destroy/{id}", &[("PUT", "Refused: access control is off")], &[]),
    row("/v1/acl/info/{id}", &[("GET", "Refused: access control is off")], &[]),
    row("/v1/acl/clone/{id}", &[("PUT", "Refused: access control is off")], &[]),
    row("/v1/acl/rules/translate/{id}", &[("GET", "Refused: access control is off")], &[]),
    row(
        "/v1/acl/token/{id}",
        &[
            ("GET", "Refused: access control is off"),
            ("PUT", "Refused: access control is off"),
            ("DELETE", "Refused: access control is off"),
        ],
        &[],
    ),
    row(
        "/v1/acl/policy/{id}",
        &[
            ("GET", "Refused: access control is off"),
            ("PUT", "Refused: access control is off"),
            ("DELETE", "Refused: access control is off"),
        ],
        &[],
    ),
    row("/v1/acl/policy/name/{id}", &[("GET", "Refused: access control is off")], &[]),
    row(
        "/v1/acl/role/{id}",
        &[
            ("GET", "Refused: access control is off"),
            ("PUT", "Refused: access control is off"),
            ("DELETE", "Refused: access control is off"),
        ],
        &[],
    ),
    row("/v1/acl/role/name/{id}", &[("GET", "Refused: access control is off")], &[]),
    row(
        "/v1/acl/binding-rule/{id}",
        &[
            ("GET", "Refused: access control is off"),
            ("PUT", "Refused: access control is off"),
            ("DELETE", "Refused: access control is off"),
        ],
        &[],
    ),
    row(
        "/v1/acl/auth-method/{id}",
        &[
            ("GET", "Refused: access control is off"),
            ("PUT", "Refused: access control is off"),
            ("DELETE", "Refused: access control is off"),
        ],
        &[],
    ),
];

const CONNECT: &[Row] = &[
    row("/v1/connect/ca/roots", &[("GET", "Refused: there is no service mesh")], &[]),
    row(
        "/v1/connect/ca/configuration",
        &[("GET", "Refused: there is no service mesh"), ("PUT", "Refused: there is no service mesh")],
        &[],
    ),
    row(
        "/v1/connect/intentions",
        &[("GET", "Refused: there is no service mesh"), ("POST", "Refused: there is no service mesh")],
        &[],
    ),
    row(
        "/v1/connect/intentions/{id}",
        &[
            ("GET", "Refused: there is no service mesh"),
            ("PUT", "Refused: there is no service mesh"),
            ("DELETE", "Refused: there is no service mesh"),
        ],
        &[],
    ),
    row("/v1/agent/connect/ca/roots", &[("GET", "Refused: there is no service mesh")], &[]),
    row("/v1/agent/connect/ca/leaf/{service}", &[("GET", "Refused: there is no service mesh")], &[]),
    row("/v1/agent/connect/authorize", &[("POST", "Refused: there is no service mesh")], &[]),
    row(
        "/v1/discovery-chain/{service}",
        &[("GET", "Refused: there is no service mesh"), ("POST", "Refused: there is no service mesh")],
        &[],
    ),
];

const INTERNAL: &[Row] = &[
    watched("/v1/internal/ui/services", &[("GET", "Services in summary")], &["dc"]),
    watched("/v1/internal/ui/nodes", &[("GET", "Nodes with their services and checks")], &["dc"]),
    watched("/v1/internal/ui/node/{node}", &[("GET", "A node with its services and checks")], &["dc"]),
];

const DESCRIPTION: &[Row] = &[row("/v1/openapi.json", &[("GET", "This description")], &[])];

const SESSION: &[Row] = &[
    row("/v1/session/create", &[("PUT", "Create a session that may hold keys")], &["dc"]),
    row("/v1/session/destroy/{id}", &[("PUT", "End a session")], &["dc"]),
    row("/v1/session/renew/{id}", &[("PUT", "Put off the end of a session")], &["dc"]),
    watched("/v1/session/info/{id}", &[("GET", "One session")], &[]),
    watched("/v1/session/list", &[("GET", "All sessions")], &[]),
    watched("/v1/session/node/{node}", &[("GET", "The sessions of a node")], &[]),
];

const TXN: &[Row] =
    &[row("/v1/txn", &[("PUT", "Up to 64 operations, all of them or none")], &["dc", "stale", "consistent"])];
