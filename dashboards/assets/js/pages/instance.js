// One instance: does it take traffic, and why or why not?
import { html } from "../dom.js";
import { instanceUrl, query, serviceUrl } from "../router.js";
import { useResource } from "../resource.js";
import { For, Moment } from "../parts/ago.js";
import { Checks } from "../parts/checks.js";
import { Mark, State, Word } from "../parts/state.js";
import { Text } from "../parts/text.js";

export function Instance({ service, id }) {
  const url = `/ui/api/services/${encodeURIComponent(service)}?window=1h`;
  const { data, error, status } = useResource(url, (news) => news.services.has(service) || news.catalogChanged);
  const found = data?.instances.filter((one) => one.id === id) ?? [];
  const one = found.find((one) => one.node === query.value.get("node")) ?? (found.length === 1 ? found[0] : null);
  if (one) {
    return html`<${Detail} one=${one} service=${service} checks=${data.checks.filter((check) => check.node === one.node && (check.instance ?? id) === id)} />`;
  }
  const gone = Boolean(data) || status === 404;
  return html`<${Title} service=${service} id=${id} />${found.length ? html`<section class="panel nothing"><p>Several nodes have an instance of this id:</p>${found.map((one) => html`<p key=${one.node}><a href=${instanceUrl(service, id, one.node)}>${one.node}</a></p>`)}</section>`
    : gone || error ? html`<section class="panel nothing" data-testid="problem"><p class="break">${gone ? `No instance ${id} of ${service} is registered now.` : error}</p>
    ${gone ? html`<p class="faint">It may have stopped, or been replaced by another.</p><a class="button" href=${serviceUrl(service)}>All instances</a>` : html`<p class="faint">This page tries again by itself.</p>`}</section>`
    : html`<div class="panel skeleton tall" aria-busy="true" />`}`;
}

function Title({ service, id, one }) {
  return html`<div class="toolbar"><div class="title"><nav class="crumb" aria-label="Path"><a href="/ui/services"><span aria-hidden="true">← </span>Services</a><span aria-hidden="true">/</span><a class="break" href=${serviceUrl(service)}>${service}</a></nav>
    <h1 data-testid="instance-title" data-instance=${id} data-state=${one?.health}>${one && html`<${Mark} state=${one.health} size=${20} />`}<span class="break">${id}</span></h1></div></div>`;
}

function Detail({ one, service, checks }) {
  return html`<${Title} service=${service} id=${one.id} one=${one} />
    <p class="now"><${Word} state=${one.health} />${one.since && html` for <${For} at=${one.since} />`}<span class="break"><span class="faint">· </span><b data-testid="in-or-out">${one.in_rotation ? "takes traffic" : "takes no traffic"}</b>: <${Text} text=${one.why} /></span></p>
    <div class="columns"><${Why} one=${one} checks=${checks} /><${Registered} one=${one} service=${service} /></div>
    <${Checks} checks=${checks} bare />`;
}

// Who has a say in it, and what each says.
function Why({ one, checks }) {
  const { route } = one;
  const against = checks.filter((check) => check.status !== "passing");
  const rows = [
    ["Catalog", html`<${State} state=${one.health} />${one.since && html`<div class="faint small">since <${Moment} at=${one.since} /></div>`}`],
    ["Checks", checks.length === 0 ? "none: it counts as passing" : against.length === 0 ? `${checks.length === 1 ? "its check passes" : `all ${checks.length} pass`}`
      : against.map((check) => html`<div key=${`${check.node}/${check.id}`}><${State} state=${pausing(check, one) ? one.health : check.status} /> <span class="break">${check.name || check.id}${check.notes && pausing(check, one) ? `: ${check.notes}` : ""}</span></div>`)],
    ["Load balancer", !route ? html`<span class="faint">none in this wharf</span>` : route.in_rotation ? html`<b class="inout">In</b>requests go to <span class="mono break">${route.to}</span>, weight ${route.weight}` : html`<b class="inout">Out</b><${Text} text=${route.why} />`],
  ];
  return html`<section class="panel" aria-labelledby="why" data-testid="why"><h2 id="why">Why it is ${one.in_rotation ? "in" : "out"}</h2><${Facts} rows=${rows} /></section>`;
}

// Maintenance and a drain are critical checks to the catalog, and something else to people.
const pausing = (check, one) => /^_(service|node)_maintenance/.test(check.id) && ["maintenance", "draining"].includes(one.health);

function Registered({ one, service }) {
  const meta = Object.entries(one.meta);
  const rows = [
    ["Service", html`<a href=${serviceUrl(service)}>${service}</a>`],
    ["Node", html`<a href=${`/ui/nodes?q=${encodeURIComponent(one.node)}`}>${one.node}</a>`],
    ["Address", html`<span class="mono">${one.address}</span>`],
    ["Port", one.port ? html`<span class="mono">${one.port}</span>` : html`<span class="faint">none</span>`],
    ["Weights", `${one.weights.passing} passing, ${one.weights.warning} warning`],
    ["Tags", one.tags.length ? html`<span class="tags">${one.tags.map((tag) => html`<a key=${tag} class="tag" href=${`/ui/services?q=${encodeURIComponent(`tag:${tag.toLowerCase()}`)}`}>${tag}</a>`)}</span>` : html`<span class="faint">none</span>`],
    ["Metadata", meta.length ? meta.map(([key, value]) => html`<div key=${key} class="mono break"><span class="faint">${key}</span> ${value}</div>`) : html`<span class="faint">none</span>`],
  ];
  return html`<section class="panel" aria-labelledby="registered" data-testid="registered"><h2 id="registered">Registered as</h2><${Facts} rows=${rows} /></section>`;
}

function Facts({ rows }) {
  return html`<dl class="facts">${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd class="break">${value}</dd></div>`)}</dl>`;
}
