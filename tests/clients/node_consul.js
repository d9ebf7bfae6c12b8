// node-consul's documented calls, with the values an application relies on. Usage: node_consul.js HOST PORT
"use strict";

const assert = require("node:assert/strict");
const Consul = require("consul");

const [host, port] = process.argv.slice(2);
const consul = new Consul({ host, port: Number(port) });
let node;

// The first change of a watch that `holds`; the watch is ended then.
function watched(method, options, holds) {
  return new Promise((resolve, reject) => {
    const watch = consul.watch({ method, options, backoffFactor: 20 });
    const late = setTimeout(() => end(reject, new Error("the watch saw no such change")), 30000);
    const end = (how, what) => {
      clearTimeout(late);
      watch.end();
      how(what);
    };
    watch.on("change", (data, res) => {
      if (!holds(data)) return;
      assert.ok(Number(res.headers["x-consul-index"]) > 0);
      end(resolve, data);
    });
    watch.on("error", (error) => end(reject, error));
  });
}

const stories = {
  async agent() {
    const self = await consul.agent.self();
    node = self.Config.NodeName;
    assert.equal(self.Member.Name, node);
    assert.deepEqual((await consul.agent.members()).map((one) => one.Name), [node]);
    await consul.agent.service.register({
      name: "api", id: "api-1", address: "10.0.0.2", port: 9000, tags: ["v1"], meta: { team: "b" },
      check: { ttl: "60s", status: "passing" },
    });
    const service = (await consul.agent.service.list())["api-1"];
    assert.deepEqual([service.Service, service.Port, service.Tags, service.Meta], ["api", 9000, ["v1"], { team: "b" }]);
    for (const [call, status] of [["warn", "warning"], ["fail", "critical"], ["pass", "passing"]]) {
      await consul.agent.check[call]({ id: "service:api-1", note: `now ${status}` });
      const check = (await consul.agent.check.list())["service:api-1"];
      assert.deepEqual([check.Status, check.Output], [status, `now ${status}`]);
    }
    await consul.agent.check.register({ name: "disk", ttl: "60s", notes: "of the machine" });
    assert.equal((await consul.agent.check.list()).disk.Notes, "of the machine");
    await consul.agent.check.deregister("disk");
    await consul.agent.service.maintenance({ id: "api-1", enable: true, reason: "upgrade" });
    assert.deepEqual(await consul.health.service({ service: "api", passing: true }), []);
    await consul.agent.service.maintenance({ id: "api-1", enable: false });
    await consul.agent.maintenance({ enable: true });
    assert.ok("_node_maintenance" in (await consul.agent.check.list()));
    await consul.agent.maintenance({ enable: false });
    await assert.rejects(consul.agent.check.pass("nobody"), { statusCode: 500 });
  },

  async catalog() {
    assert.deepEqual(await consul.catalog.datacenters(), ["dc1"]);
    await consul.catalog.register({
      node: "outside", address: "10.9.0.1",
      service: { id: "db-1", service: "db", tags: ["primary"], port: 5432 },
    });
    assert.deepEqual((await consul.catalog.node.list()).map((one) => one.Node).sort(), [node, "outside"].sort());
    assert.equal((await consul.catalog.node.services("outside")).Services["db-1"].Port, 5432);
    assert.deepEqual((await consul.catalog.service.list()).db, ["primary"]);
    assert.equal((await consul.catalog.service.nodes({ service: "db", tag: "primary" }))[0].Address, "10.9.0.1");
    assert.deepEqual(await consul.catalog.connect.nodes("db"), []);
    await consul.catalog.deregister({ node: "outside" });
    assert.deepEqual(await consul.catalog.service.nodes("db"), []);
  },

  async health() {
    assert.deepEqual((await consul.health.node(node)).map((one) => one.CheckID).sort(), ["serfHealth", "service:api-1"]);
    assert.deepEqual((await consul.health.checks("api")).map((one) => one.Status), ["passing"]);
    assert.deepEqual((await consul.health.service({ service: "api", tag: "v1" })).map((one) => one.Service.ID), ["api-1"]);
    assert.deepEqual(await consul.health.service({ service: "api", tag: "v2" }), []);
    assert.deepEqual(await consul.health.state("critical"), []);
  },

  async kv() {
    assert.equal(await consul.kv.get("none"), undefined);
    assert.equal(await consul.kv.set("app/a", "one"), true);
    assert.equal(await consul.kv.set({ key: "app/b c?#%", value: "two", flags: 42 }), true);
    const a = await consul.kv.get("app/a");
    assert.deepEqual([a.Key, a.Value, a.Flags], ["app/a", "one", 0]);
    assert.equal(String(await consul.kv.get({ key: "app/a", raw: true })), "one");
    assert.equal((await consul.kv.get("app/b c?#%")).Flags, 42);
    assert.deepEqual((await consul.kv.get({ key: "app/", recurse: true })).map((one) => one.Value), ["one", "two"]);
    assert.deepEqual(await consul.kv.keys("app/"), ["app/a", "app/b c?#%"]);
    assert.deepEqual(await consul.kv.keys({ key: "a", separator: "/" }), ["app/"]);
    // The library makes `undefined` of an answer of `false`.
    assert.ok(!(await consul.kv.set({ key: "app/a", value: "x", cas: "0" })));
    assert.equal(await consul.kv.set({ key: "app/a", value: "x", cas: String(a.ModifyIndex) }), true);
    assert.ok(!(await consul.kv.del({ key: "app/a", cas: String(a.ModifyIndex) })));
    assert.equal((await consul.kv.get("app/a")).Value, "x");
    assert.equal(await consul.kv.del({ key: "app/", recurse: true }), true);
    assert.equal(await consul.kv.get({ key: "app/", recurse: true }), undefined);
  },

  async sessions() {
    const { ID: id } = await consul.session.create({ name: "mine", ttl: "20s", lockdelay: "0s", behavior: "release" });
    assert.equal((await consul.session.get(id)).Name, "mine");
    assert.deepEqual((await consul.session.list()).map((one) => one.ID), [id]);
    assert.deepEqual((await consul.session.node(node)).map((one) => one.ID), [id]);
    assert.equal((await consul.session.renew(id))[0].TTL, "20s");
    assert.equal(await consul.kv.set({ key: "lock", value: "me", acquire: id }), true);
    assert.equal((await consul.kv.get("lock")).Session, id);
    assert.equal(await consul.kv.set({ key: "lock", value: "", release: id }), true);
    await consul.session.destroy(id);
    assert.equal(await consul.session.get(id), undefined);
  },

  async events() {
    const fired = await consul.event.fire({ name: "deploy", payload: "53" });
    const listed = await consul.event.list("deploy");
    assert.deepEqual(listed.map((one) => [one.ID, one.Payload]), [[fired.ID, "53"]]);
  },

  async queries() {
    const { ID: id } = await consul.query.create({ name: "apis", service: { service: "api", onlypassing: true } });
    assert.deepEqual((await consul.query.list()).map((one) => one.Name), ["apis"]);
    assert.equal((await consul.query.get(id)).Service.Service, "api");
    assert.deepEqual((await consul.query.execute("apis")).Nodes.map((one) => one.Service.ID), ["api-1"]);
    await consul.query.update({ query: id, name: "others", service: { service: "nothing" } });
    assert.deepEqual((await consul.query.execute("others")).Nodes, []);
    await consul.query.destroy(id);
    assert.deepEqual(await consul.query.list(), []);
  },

  async status() {
    assert.deepEqual(await consul.status.peers(), [await consul.status.leader()]);
  },

  async transactions() {
    const set = (key) => ({ KV: { Verb: "set", Key: key, Value: Buffer.from("v").toString("base64") } });
    const done = await consul.transaction.create([set("t/1"), set("t/2")]);
    assert.deepEqual(done.Results.map((one) => one.KV.Key), ["t/1", "t/2"]);
    const stale = { KV: { Verb: "check-index", Key: "t/1", Index: 1 } };
    await assert.rejects(consul.transaction.create([set("t/3"), stale]), /conflict/i);
    assert.deepEqual(await consul.kv.keys("t/"), ["t/1", "t/2"]);
  },

  async watches() {
    const key = watched(consul.kv.get, { key: "watched" }, (data) => data && data.Value === "there");
    const ids = (data) => data.map((one) => one.Service.ID).join();
    const two = watched(consul.health.service, { service: "api", passing: true }, (data) => ids(data) === "api-1,api-2");
    await consul.kv.set("watched", "there");
    await consul.agent.service.register({ name: "api", id: "api-2", port: 9001 });
    await Promise.all([key, two]);
    const gone = watched(consul.catalog.service.list, {}, (data) => !("api" in data));
    await consul.agent.service.deregister("api-1");
    await consul.agent.service.deregister({ id: "api-2" });
    await gone;
    await consul.agent.reload();
  },
};

(async () => {
  for (const [name, story] of Object.entries(stories)) {
    await story();
    console.log(`node-consul: ${name} as documented`);
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
