"""py-consul's documented calls, with the values an application relies on. Usage: py_consul.py HOST PORT"""

import base64
import sys
import threading
import time

import consul

c = consul.Consul(host=sys.argv[1], port=int(sys.argv[2]))
NODE = c.agent.self()["Config"]["NodeName"]


def eq(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def changed(blocking, change, holds):
    """A blocking read from another thread sees `change` in good time, and its index goes on."""
    index, _ = blocking(None)
    seen = []

    def watch():
        i, deadline = index, time.monotonic() + 30
        while time.monotonic() < deadline:
            i, now = blocking(i)
            if holds(now):
                seen.append((i, now))
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    change()
    thread.join(35)
    assert seen, "the blocking read did not see the change"
    assert int(seen[0][0]) > int(index), (seen, index)
    return seen[0][1]


def agent():
    me = c.agent.self()
    eq(me["Config"]["Datacenter"], "dc1")
    eq(me["Member"]["Name"], NODE)
    eq([m["Name"] for m in c.agent.members()], [NODE])
    ok = c.agent.service.register(
        "web", service_id="web-1", address="10.0.0.1", port=8080, tags=["v1", "blue"], meta={"team": "a"},
        weights={"Passing": 5, "Warning": 1}, check=consul.Check.ttl("60s"),
    )
    eq(ok, True)
    service = c.agent.services()["web-1"]
    eq((service["Service"], service["Address"], service["Port"]), ("web", "10.0.0.1", 8080))
    eq((service["Tags"], service["Meta"]), (["v1", "blue"], {"team": "a"}))
    eq(service["Weights"], {"Passing": 5, "Warning": 1})
    eq(list(c.agent.services(filter_expr='"blue" in Tags')), ["web-1"])
    eq(c.agent.services(filter_expr='"red" in Tags'), {})
    eq(c.agent.service_definition("web-1")["Port"], 8080)
    eq(c.agent.checks()["service:web-1"]["Status"], "critical")
    for call, status in [
        (c.agent.check.ttl_pass, "passing"), (c.agent.check.ttl_warn, "warning"), (c.agent.check.ttl_fail, "critical"),
    ]:
        eq(call("service:web-1", notes=f"it is {status}"), True)
        check = c.agent.checks()["service:web-1"]
        eq((check["Status"], check["Output"]), (status, f"it is {status}"))
    eq(c.agent.check.register("disk", check_id="disk", check=consul.Check.ttl("60s")), True)
    eq(c.agent.check.ttl_pass("disk"), True)
    eq(c.agent.check.deregister("disk"), True)
    assert "disk" not in c.agent.checks()
    eq(c.agent.service.maintenance("web-1", "true", reason="upgrade"), True)
    eq(c.agent.checks()["_service_maintenance:web-1"]["Notes"], "upgrade")
    eq(c.agent.service.maintenance("web-1", "false"), True)
    eq(c.agent.maintenance("true", reason="kernel"), True)
    eq(c.agent.checks()["_node_maintenance"]["Status"], "critical")
    eq(c.agent.maintenance("false"), True)
    assert not any("maintenance" in check for check in c.agent.checks())
    try:
        c.agent.check.ttl_pass("nobody")
        raise AssertionError("an unknown check passed")
    except consul.ConsulException:
        pass
    assert "Gauges" in c.agent.metrics()


def catalog():
    eq(c.catalog.datacenters(), ["dc1"])
    service = {"Service": "db", "ID": "db-1", "Port": 5432, "Tags": ["primary"]}
    check = {"Name": "ping", "CheckID": "ping", "ServiceID": "db-1", "Status": "passing"}
    eq(c.catalog.register("outside", "10.9.0.1", service=service, check=check), True)
    index, nodes = c.catalog.nodes()
    assert int(index) > 0
    eq({node["Node"] for node in nodes}, {NODE, "outside"})
    eq(c.catalog.nodes(node_meta={"rack": "1"})[1], [])
    services = c.catalog.services()[1]
    eq((services["db"], sorted(services["web"])), (["primary"], ["blue", "v1"]))
    eq(c.catalog.node("outside")[1]["Services"]["db-1"]["Port"], 5432)
    eq(c.catalog.node("nobody")[1], None)
    found = c.catalog.service("db", tag="primary")[1]
    eq([(one["Address"], one["ServicePort"]) for one in found], [("10.9.0.1", 5432)])
    eq(c.catalog.service("db", tag="replica")[1], [])
    eq(c.catalog.connect("db")[1], [])
    eq(c.catalog.deregister("outside", service_id="db-1"), True)
    eq(c.catalog.service("db")[1], [])
    eq(c.catalog.deregister("outside"), True)
    eq([node["Node"] for node in c.catalog.nodes()[1]], [NODE])


def health():
    ids = lambda answer: [one["Service"]["ID"] for one in answer[1]]
    eq(ids(c.health.service("web")), ["web-1"])
    eq(ids(c.health.service("web", passing=True)), [])
    eq([one["CheckID"] for one in c.health.state("critical")[1]], ["service:web-1"])
    passes = changed(
        lambda index: c.health.service("web", index=index, wait="10s", passing=True),
        lambda: c.agent.check.ttl_pass("service:web-1"),
        lambda now: len(now) == 1,
    )
    eq(passes[0]["Service"]["Weights"]["Passing"], 5)
    eq(ids(c.health.service("web", tag="blue")), ["web-1"])
    eq(ids(c.health.service("web", tag="green")), [])
    eq([one["Status"] for one in c.health.checks("web")[1]], ["passing"])
    eq({one["CheckID"] for one in c.health.node(NODE)[1]}, {"serfHealth", "service:web-1"})
    # Nothing changes: the answer comes after the time asked for, with the index it had.
    index, _ = c.health.service("web")
    eq(c.health.service("web", index=index, wait="50ms")[0], index)


def kv():
    index, nothing = c.kv.get("app/none")
    assert int(index) > 0 and nothing is None
    flags = 0x2DDCCBC058A50C18  # beyond what a double holds
    eq(c.kv.put("app/a", "1", flags=flags), True)
    eq(c.kv.put("app/b", bytes(range(256))), True)
    eq(c.kv.put("app/sub/c", None), True)
    one = c.kv.get("app/a")[1]
    eq((one["Key"], one["Value"], one["Flags"]), ("app/a", b"1", flags))
    eq(c.kv.get("app/b")[1]["Value"], bytes(range(256)))
    eq(c.kv.get("app/sub/c")[1]["Value"], None)
    eq([entry["Key"] for entry in c.kv.get("app/", recurse=True)[1]], ["app/a", "app/b", "app/sub/c"])
    eq(c.kv.get("app/", keys=True)[1], ["app/a", "app/b", "app/sub/c"])
    eq(c.kv.get("app/", keys=True, separator="/")[1], ["app/a", "app/b", "app/sub/"])
    eq(c.kv.put("app/a", "2", cas=0), False)
    eq(c.kv.put("app/a", "2", cas=one["ModifyIndex"]), True)
    eq(c.kv.delete("app/a", cas=one["ModifyIndex"]), False)
    eq(c.kv.get("app/a", consistency="consistent")[1]["Value"], b"2")
    now = changed(
        lambda index: c.kv.get("app/a", index=index, wait="10s"),
        lambda: c.kv.put("app/a", "3"),
        lambda entry: entry["Value"] == b"3",
    )
    assert now["ModifyIndex"] > one["ModifyIndex"]
    eq(c.kv.delete("app/a"), True)
    eq(c.kv.delete("app/", recurse=True), True)
    eq(c.kv.get("app/", recurse=True)[1], None)


def sessions():
    first = c.session.create(name="first", ttl=30, lock_delay=0, behavior="delete")
    second = c.session.create(name="second", lock_delay=0)
    info = c.session.info(first)[1]
    eq((info["Name"], info["TTL"], info["Behavior"], info["LockDelay"]), ("first", "30s", "delete", 0))
    eq(info["Node"], NODE)
    eq({one["ID"] for one in c.session.list()[1]}, {first, second})
    eq({one["ID"] for one in c.session.node(NODE)[1]}, {first, second})
    eq(c.session.renew(first)["ID"], first)
    eq(c.kv.put("leader", "one", acquire=first), True)
    eq(c.kv.put("leader", "two", acquire=second), False)
    held = c.kv.get("leader")[1]
    eq((held["Session"], held["LockIndex"], held["Value"]), (first, 1, b"one"))
    eq(c.kv.put("leader", "", release=second), False)
    eq(c.kv.put("leader", "", release=first), True)
    assert "Session" not in c.kv.get("leader")[1]
    eq(c.kv.put("leader", "one", acquire=first), True)
    eq(c.session.destroy(first), True)
    eq(c.kv.get("leader")[1], None)  # its behaviour is to take its keys with it
    eq(c.kv.put("leader", "two", acquire=second), True)
    eq(c.session.destroy(second), True)
    left = c.kv.get("leader")[1]
    eq((left["Value"], "Session" in left), (b"two", False))
    try:
        c.session.renew(first)
        raise AssertionError("a destroyed session was renewed")
    except consul.NotFound:
        pass


def events():
    fired = c.event.fire("deploy", "v2", service="web")
    eq((fired["Name"], fired["ServiceFilter"]), ("deploy", "web"))
    index, listed = c.event.list("deploy")
    eq([(one["ID"], one["Payload"]) for one in listed], [(fired["ID"], b"v2")])
    assert int(index) > 0
    eq(c.event.list("nothing")[1], [])


def queries():
    made = c.query.create("web", name="nearest-web", onlypassing=True, tags=["blue"], ttl="10s")["ID"]
    eq([one["Name"] for one in c.query.list()], ["nearest-web"])
    eq(c.query.get(made)[0]["Service"]["Tags"], ["blue"])
    answer = c.query.execute("nearest-web")
    eq([one["Service"]["ID"] for one in answer["Nodes"]], ["web-1"])
    eq((answer["Service"], answer["DNS"]["TTL"]), ("web", "10s"))
    # The library makes a template of every query, which only a name can fill in.
    try:
        c.query.execute(made)
        raise AssertionError("a template was executed by its id")
    except consul.ConsulException as error:
        assert "by name, not by ID" in str(error), error
    eq(c.query.update(made, "web", name="nearest-web", tags=["green"]), True)
    eq(c.query.execute("nearest-web")["Nodes"], [])
    eq(c.query.delete(made), True)
    eq(c.query.list(), [])


def transactions():
    value = base64.b64encode(b"x").decode()
    put = lambda key: {"KV": {"Verb": "set", "Key": key, "Value": value}}
    eq([one["KV"]["Key"] for one in c.txn.put([put("t/1"), put("t/2")])["Results"]], ["t/1", "t/2"])
    got = c.txn.put([{"KV": {"Verb": "get-tree", "Key": "t/"}}])["Results"]
    eq([base64.b64decode(one["KV"]["Value"]) for one in got], [b"x", b"x"])
    try:
        c.txn.put([put("t/3"), {"KV": {"Verb": "cas", "Key": "t/1", "Index": 1, "Value": value}}])
        raise AssertionError("a transaction with a stale index went through")
    except consul.ConsulException as error:
        assert "index is stale" in str(error), error
    eq(c.kv.get("t/", keys=True)[1], ["t/1", "t/2"])


def cluster():
    leader = c.status.leader()
    eq(c.status.peers(), [leader])
    servers = c.operator.raft_config()["Servers"]
    eq([(one["Node"], one["Leader"], one["Voter"]) for one in servers], [(NODE, True, True)])
    eq(c.operator.autopilot_health()["Healthy"], True)
    eq([one["Datacenter"] for one in c.coordinate.datacenters()], ["dc1"])
    assert {one["Node"] for one in c.coordinate.nodes()[1]} <= {NODE}


def goodbye():
    eq(c.agent.service.deregister("web-1"), True)
    assert "web-1" not in c.agent.services()
    eq(c.health.service("web")[1], [])
    eq(c.agent.reload(), True)


for story in (agent, catalog, health, kv, sessions, events, queries, transactions, cluster, goodbye):
    story()
    print(f"py-consul: {story.__name__} as documented")
