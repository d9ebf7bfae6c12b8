// Maintenance of services: paused, neither up nor down, and nobody is paged.
import { html } from "../dom.js";
import { written } from "../format.js";
import { API, entries } from "../oncall.js";
import { useResource } from "../resource.js";
import { Add, EditButton } from "./editor.js";
import { Matchers, Origin } from "./oncall.js";
import { Mark } from "./state.js";

/** Those of the settings and those made here. */
export function Windows({ edit }) {
  const { data } = useResource(`${API}/maintenance`, (news) => news.catalogChanged);
  if (!data) return null;
  const all = [...data.settings.map((one) => ({ key: one.name, origin: "file", ...one })), ...entries(data.maintenance).map((one) => ({ origin: "api", ...one }))];
  return html`<section class="panel" aria-labelledby="windows" data-testid="windows"><h2 id="windows">Maintenance of services <span class="faint num">${all.length}</span><${Add} kind="windows" edit=${edit} /></h2>
    ${all.length ? html`<ul class="rows">${all.map((one) => html`<li key=${one.origin + one.key} tabindex="-1" data-walk data-testid="service-window" data-key=${one.key} data-origin=${one.origin}><${Mark} state=${one.active ? "active" : "planned"} label=${one.active ? "now" : "planned"} /><span class="break grow"><b>${one.name || one.key}</b> ${about(one)}<span class="faint"> · ${when(one)}</span></span>
      <${EditButton} kind="windows" thing=${one} edit=${edit} /><${Origin} origin=${one.origin} /></li>`)}</ul>` : html`<p class="blank">None. Services in maintenance are paused: their uptime does not count it.</p>`}</section>`;
}

function about({ services = [], tags = [] }) {
  if (!services.length && !tags.length) return "all services";
  return html`<${Matchers} match=${[...services, ...tags.map((tag) => `tag:${tag}`)]} />`;
}

function when({ from, to, every = [], month_days: days = [], at, length, zone }) {
  const of = zone ? `, ${zone}` : "";
  if (from) return `${written(from)} – ${to ? written(to) : "until it is removed"}${of}`;
  return `${[...every.map((day) => (day === "day" ? "every day" : day)), ...days.map((day) => `day ${day}`)].join(", ")} at ${at} for ${length}${of}`;
}
