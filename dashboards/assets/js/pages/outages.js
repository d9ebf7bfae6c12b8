// When was which service down, day by day?
import { html } from "../dom.js";
import { longDay } from "../format.js";
import { query, urlWith } from "../router.js";
import { useResource } from "../resource.js";
import { Filter, filterText } from "../parts/filter.js";
import { OutageTable } from "../parts/outages.js";

export function Outages() {
  const { data, error } = useResource("/ui/api/incidents", (news) => news.services.size > 0);
  return html`<div class="toolbar"><h1>Outages</h1><${Which} /><${Filter} placeholder="Filter by service or reason" /></div>
    ${data ? html`<${Days} all=${data.incidents} />` : error ? html`<section class="panel nothing"><p>${error}</p></section>` : html`<div class="panel skeleton tall" aria-busy="true" />`}`;
}

const onlyOpen = () => query.value.get("state") === "open";

function Which() {
  return html`<nav class="segments" aria-label="Which"><a href=${urlWith({ state: "" })} aria-current=${onlyOpen() ? undefined : "true"}>All</a>
    <a href=${urlWith({ state: "open" })} aria-current=${onlyOpen() ? "true" : undefined}>Open</a></nav>`;
}

function Days({ all }) {
  const words = filterText().toLowerCase().split(/\s+/).filter(Boolean);
  const shown = all.filter((one) => (!onlyOpen() || one.state !== "resolved")
    && words.every((word) => one.service.toLowerCase().includes(word) || one.reason.toLowerCase().includes(word)));
  if (all.length === 0) return html`<section class="panel nothing" data-testid="empty"><h2>No outage so far</h2><p class="faint">When a service goes down, it is written here with its reason, from its first failure to its recovery.</p></section>`;
  if (shown.length === 0) return html`<section class="panel nothing"><p>${words.length ? "No outage matches." : "Nothing is open."}</p></section>`;
  return byDay(shown).map(([day, outages]) => html`<section class="panel" key=${day}><h2>${day} <span class="faint num">${outages.length}</span></h2><${OutageTable} outages=${outages} /></section>`);
}

function byDay(outages) {
  const days = new Map();
  for (const one of outages) {
    const day = longDay(one.started);
    days.set(day, [...(days.get(day) ?? []), one]);
  }
  return [...days];
}
