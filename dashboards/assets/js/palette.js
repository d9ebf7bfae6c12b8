// The command palette: whatever one wants to see or do, by a few letters of its name.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { html } from "./dom.js";
import { services } from "./live.js";
import { go, instanceUrl, serviceUrl } from "./router.js";
import { answered } from "./resource.js";
import { API, act, asking, entries, incidentUrl } from "./oncall.js";
import { shownState } from "./table.js";
import { Dialog } from "./parts/dialog.js";
import { Mark } from "./parts/state.js";
import { best } from "./fuzzy.js";

const PAGES = [["Overview", "/ui/"], ["Services", "/ui/services"], ["Incidents", "/ui/incidents"], ["Outages", "/ui/outages"], ["Events", "/ui/events"], ["Nodes", "/ui/nodes"], ["On call now", "/ui/oncall"], ["On-call calendar", "/ui/oncall/calendar"],
  ["Who is paged at …", "/ui/oncall/who"], ["Silences", "/ui/oncall/silences"], ["Deliveries", "/ui/oncall/deliveries"], ["On-call setup: users, rotations, policies", "/ui/oncall/setup"]];
const SHOWN = 12;

export function Palette({ done, help }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [asked, setAsked] = useState({});
  const list = useRef(null);
  useEffect(() => { fetched().then(setAsked); }, []);
  const all = useMemo(() => items(asked, help), [asked]);
  const found = useMemo(() => best(all, text, SHOWN), [all, text]);
  const pick = (item) => { done(); item?.run ? item.run() : item && go(item.url); };
  useEffect(() => { list.current?.children[at]?.scrollIntoView({ block: "nearest" }); }, [at]);
  const key = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setAt((at + step + found.length) % Math.max(1, found.length));
    else if (event.key === "Enter") pick(found[at]);
    else return;
    event.preventDefault();
  };
  return html`<${Dialog} label="Go to or do" onClose=${done} kind="palette"><input role="combobox" aria-expanded="true" aria-controls="palette-list" aria-activedescendant=${found[at] ? `palette-${at}` : undefined} aria-label="Go to or do"
      autofocus spellcheck="false" autocomplete="off" placeholder="Service, incident, person, page, or what to do" value=${text} onInput=${(event) => { setText(event.currentTarget.value); setAt(0); }} onKeyDown=${key} data-testid="palette" />
    <ul id="palette-list" role="listbox" aria-label="Found" ref=${list}>${found.map((item, n) => html`<li key=${item.id} id=${`palette-${n}`} role="option" aria-selected=${String(n === at)} class=${n === at ? "at" : ""} data-testid="palette-item" data-kind=${item.kind}
      onPointerMove=${() => n !== at && setAt(n)} onClick=${() => pick(item)}>${item.state ? html`<${Mark} state=${item.state} />` : html`<span class="no-mark" />`}<span class="clip grow">${item.name}</span><span class="faint small">${item.kind}</span></li>`)}
      ${found.length === 0 && html`<li class="faint">Nothing matches.</li>`}</ul><//>`;
}

// What the stream does not carry, asked for when the palette opens.
async function fetched() {
  const [nodes, incidents, config] = await Promise.all(["/ui/api/nodes", `${API}/incidents?state=open&limit=100`, `${API}/oncall/config`].map(answered));
  return { nodes: nodes.data?.nodes, incidents: incidents.data?.incidents, config: config.data };
}

function items({ nodes = [], incidents = [], config }, help) {
  const users = entries(config?.users), rotations = entries(config?.rotations);
  const item = (kind, name, url, more) => ({ kind, name, url, id: `${kind} ${name} ${more?.at ?? ""}`, ...more });
  const doing = (name, run) => item("action", name, null, { run });
  return [
    ...PAGES.map(([name, url]) => item("page", name, url)),
    ...incidents.map((one) => item("incident", `#${one.id} ${one.title}`, incidentUrl(one.id), { state: one.state })),
    ...incidents.flatMap((one) => actions(one, doing)),
    ...[...services.peek().values()].map((row) => item("service", row.name, serviceUrl(row.name), { state: shownState(row) })),
    ...nodes.map((node) => item("node", node.name, `/ui/nodes?q=${encodeURIComponent(node.name)}`, { state: node.health })),
    ...users.map((one) => item("user", one.name && one.name !== one.key ? `${one.key} ${one.name}` : one.key, `/ui/oncall/setup?q=${encodeURIComponent(one.key)}`)),
    ...users.map((one) => doing(`Send a test to ${one.key}`, () => act("POST", `/oncall/test/${encodeURIComponent(one.key)}`, {}, `a test goes to ${one.key}`))),
    ...rotations.map((one) => item("rotation", one.key, `/ui/oncall/calendar?rotation=${encodeURIComponent(one.key)}`)),
    doing("Change who acts", () => { asking.value = () => {}; }),
    doing("Show the keys", help),
    ...nodes.flatMap((node) => node.instances.map((one) => item("instance", one.id, instanceUrl(one.service, one.id, node.name), { state: one.health, at: node.name }))),
  ];
}

function actions(one, doing) {
  const run = (what, told) => () => act("POST", `/incidents/${one.id}/${what}`, {}, `#${one.id} is ${told}`);
  const resolve = doing(`Resolve #${one.id} ${one.title}`, run("resolve", "resolved"));
  return one.state === "triggered" ? [doing(`Acknowledge #${one.id} ${one.title}`, run("acknowledge", "acknowledged")), resolve] : [resolve];
}
