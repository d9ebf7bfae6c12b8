// One service: how has it been, and what is it made of?
import { html } from "../dom.js";
import { board, services } from "../live.js";
import { instanceUrl, query, urlWith } from "../router.js";
import { clock, count, day, millis, percent, span } from "../format.js";
import { shownState } from "../table.js";
import { API } from "../oncall.js";
import { useResource, oncallNews } from "../resource.js";
import { Bar } from "../parts/bar.js";
import { Checks } from "../parts/checks.js";
import { Chart } from "../parts/chart.js";
import { Figures } from "../parts/figures.js";
import { For } from "../parts/ago.js";
import { Mark, State, Word } from "../parts/state.js";
import { Text } from "../parts/text.js";
import { IncidentTable } from "../parts/incidents.js";
import { OutageTable } from "../parts/outages.js";
import { Periods } from "../parts/periods.js";

const WINDOWS = [["1h", "Hour"], ["24h", "Day"], ["7d", "Week"], ["30d", "Month"]];

export function Service({ name }) {
  const asked = query.value.get("window");
  const chosen = WINDOWS.some(([id]) => id === asked) ? asked : "24h";
  const url = `/ui/api/services/${encodeURIComponent(name)}?window=${chosen}`;
  const { data, error, status } = useResource(url, (news) => news.services.has(name) || news.catalogChanged);
  if (data) return html`<${Detail} detail=${data} chosen=${chosen} />`;
  if (error) return html`<${Failed} name=${name} error=${error} status=${status} />`;
  return html`<${Title} name=${name} chosen=${chosen} /><div class="panel skeleton tall" aria-busy="true" />`;
}

function Title({ name, row, url, chosen }) {
  return html`<div class="toolbar"><div class="title"><nav class="crumb" aria-label="Path"><a href="/ui/services"><span aria-hidden="true">← </span>Services</a></nav>
      <h1 data-testid="service-title" data-service=${name} data-state=${row?.state}>${row && html`<${Mark} state=${shownState(row)} size=${20} />`}<span class="break">${name}</span></h1></div>
    ${url && html`<a class="button" href=${url} target="_blank" rel="noopener noreferrer">Open<span aria-hidden="true"> ↗</span></a>`}
    <nav class="segments" aria-label="Window">${WINDOWS.map(([id, label]) => html`<a key=${id} href=${urlWith({ window: id === "24h" ? "" : id })}
      data-testid=${`window-${id}`} aria-current=${chosen === id ? "true" : undefined}>${label}</a>`)}</nav></div>`;
}

// A tick below the bar for each instance that came or was replaced.
function Deploys({ marks, window }) {
  if (!marks.length) return null;
  const at = (moment) => ((moment - window.from) / (window.to - window.from)) * 1000;
  return html`<svg class="deploys" viewBox="0 0 1000 8" preserveAspectRatio="none" role="img" aria-label=${`Deploys: ${marks.length}`} data-testid="deploys">
    ${marks.map((mark) => html`<rect key=${`${mark.at}${mark.text}`} x=${at(mark.at) - 1.5} width="3" height="8"><title>${day(mark.at)} ${clock(mark.at)}: ${mark.text}</title></rect>`)}</svg>`;
}

// What is so now comes with the stream and is ahead of the figures, which are fetched after it.
function current(row) {
  const live = services.value.get(row.name);
  if (!live) return row;
  const { state, degraded, since, reason, passing, total, tags } = live;
  return { ...row, state, degraded, since, reason, passing, total, tags };
}

function Detail({ detail, chosen }) {
  const row = current(detail.row);
  const state = shownState(row);
  // What is only watched, a site elsewhere or a job, gets no requests from here.
  const routed = detail.instances.some((one) => one.port);
  return html`<${Title} name=${row.name} row=${row} url=${routed ? throughProxy(row) : null} chosen=${chosen} />
    <p class="now"><${Word} state=${state} /> for <${For} at=${row.since} />${row.reason && html`<span class="faint"> · </span><${Text} text=${row.reason} />`}
      ${row.tags.length > 0 && html`<span class="tags">${row.tags.map((tag) => html`<a key=${tag} class="tag" href=${`/ui/services?q=${encodeURIComponent(`tag:${tag.toLowerCase()}`)}`}>${tag}</a>`)}</span>`}</p>
    <${Figures} items=${figures(row, routed)} />
    <section class="panel" aria-labelledby="uptime"><h2 id="uptime">Uptime</h2><div class="padded"><${Bar} bar=${row.bar} window=${detail.window} name=${row.name} keys />
      <${Deploys} marks=${detail.marks} window=${detail.window} />
      <div class="scale num faint"><span>${day(detail.window.from)} ${clock(detail.window.from)}</span><span>now</span></div>${detail.imported.length > 0 && html`<p class="small faint">Part of this past was imported (${[...new Set(detail.imported.map((one) => one.label))].join(", ")}): nobody measured it here.</p>`}</div><${Periods} name=${row.name} /></section>
    <section class="panel" aria-labelledby="response"><h2 id="response">Response time <span class="faint">mean, and lowest to 95th percentile</span></h2>
      <div class="padded">${detail.response_times.length ? html`<${Chart} points=${detail.response_times} window=${detail.window} />`
        : html`<p class="blank chart">No check of this service measured a response time in this window. HTTP and TCP checks do.</p>`}</div></section>
    <${Instances} instances=${detail.instances} name=${row.name} />
    <${Checks} checks=${detail.checks} />
    <section class="panel" aria-labelledby="outages"><h2 id="outages">Outages <span class="faint num">${detail.incidents.length}</span></h2>
      ${detail.incidents.length ? html`<${OutageTable} outages=${detail.incidents} bare />` : html`<p class="blank">None in this window.</p>`}</section>
    <${ServiceIncidents} name=${row.name} />`;
}

// Open incidents it is part of, and the last of those that are over.
function ServiceIncidents({ name }) {
  const { data } = useResource(`${API}/incidents?${new URLSearchParams({ state: "all", entity: `service:${name}`, limit: 10 })}`, oncallNews);
  if (!data) return null;
  return html`<section class="panel" aria-labelledby="incidents"><h2 id="incidents"><a href=${`/ui/incidents?entity=${encodeURIComponent(`service:${name}`)}`}>Incidents</a> <span class="faint num">${data.incidents.length}${data.incidents.length === 10 ? "+" : ""}</span></h2>
    ${data.incidents.length ? html`<${IncidentTable} incidents=${data.incidents} />` : html`<p class="blank">None so far.</p>`}</section>`;
}

function figures(row, routed) {
  return [
    { id: "availability", label: "Availability", value: percent(row.availability), tone: row.availability != null && row.availability < 0.99 ? "tone-bad" : "" },
    { id: "outages", label: "Outages", value: count(row.outages), note: row.downtime_ms ? `${span(row.downtime_ms)} down` : "" },
    { id: "response", label: "Mean response", value: millis(row.response_ms), note: row.p95_ms != null ? `p95 ${millis(row.p95_ms)} · p99 ${millis(row.p99_ms)}` : "" },
    { id: "responsiveness", label: "Responsiveness", value: percent(row.responsiveness), note: "answered in time" },
    { id: "tests", label: "Tests", value: count(row.tests) },
    { id: "instances", label: "Instances", value: `${row.passing}/${row.total}`, note: routed ? "take traffic" : "pass", tone: { down: "tone-bad", degraded: "tone-warn" }[shownState(row)] ?? "" },
  ];
}

function Instances({ instances, name }) {
  return html`<section class="panel" aria-labelledby="instances"><h2 id="instances">Instances <span class="faint num">${instances.length}</span></h2>
    ${instances.length === 0 ? html`<p class="blank">None is registered now. What is shown here is what wharf remembers.</p>` : html`<table class="table list" role="table">
      <thead role="rowgroup"><tr role="row"><th role="columnheader">Health</th><th role="columnheader">Address</th><th role="columnheader">Node</th><th role="columnheader">In or out, and why</th><th role="columnheader" class="number">For</th></tr></thead>
      <tbody role="rowgroup">${instances.map((one) => html`<tr role="row" key=${`${one.node}/${one.id}`} data-testid="instance-row" data-instance=${one.id} data-node=${one.node} data-state=${one.health}>
        <td role="cell"><${State} state=${one.health} /></td>
        <td role="cell"><div class="mono break">${one.address}${one.port ? `:${one.port}` : ""}</div><a class="small mono break" data-walk href=${instanceUrl(name, one.id, one.node)} data-testid="instance-link">${one.id}</a></td>
        <td role="cell" class="break" data-label="on">${one.node}</td>
        <td role="cell" class="break"><b class="inout">${one.in_rotation ? "In" : one.port ? "Out" : "–"}</b><${Text} text=${one.why} /></td>
        <td role="cell" class="number" data-label="for"><${For} at=${one.since} /></td></tr>`)}</tbody></table>`}</section>`;
}

function Failed({ name, error, status }) {
  return html`<${Title} name=${name} /><section class="panel nothing" data-testid="problem"><p class="break">${error}</p>
    ${status === 404 ? html`<p class="faint">It may have been renamed, or forgotten since.</p><a class="button" href="/ui/services">All services</a>` : html`<p class="faint">This page tries again by itself.</p>`}</section>`;
}

// The address people can open: through the load balancer when there is one.
function throughProxy(row) {
  const proxy = board.value?.proxy;
  if (!proxy || !row.total) return null;
  const { host, port } = proxy;
  return `http://${host ?? window.location.hostname}:${port}/${encodeURIComponent(row.name)}/`;
}
