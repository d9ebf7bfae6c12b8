// Which machines are there, and what runs on each?
import { html } from "../dom.js";
import { instanceUrl } from "../router.js";
import { useResource } from "../resource.js";
import { word } from "../format.js";
import { Filter, filterText } from "../parts/filter.js";
import { FirstService } from "../parts/first.js";
import { Mark, State } from "../parts/state.js";

export function Nodes() {
  const { data, error } = useResource("/ui/api/nodes", (news) => news.catalogChanged);
  if (data?.nodes.length === 0) return html`<h1 class="sr">Nodes</h1><${FirstService} />`;
  return html`<div class="toolbar"><h1>Nodes</h1><${Filter} placeholder="Filter by node or service" /></div>
    ${data ? html`<${List} nodes=${data.nodes} />` : error ? html`<section class="panel nothing"><p>${error}</p></section>` : html`<div class="panel skeleton tall" aria-busy="true" />`}`;
}

function List({ nodes }) {
  const words = filterText().toLowerCase().split(/\s+/).filter(Boolean);
  const hit = (node, word) => node.name.toLowerCase().includes(word) || node.address.includes(word) || node.instances.some((one) => one.service.toLowerCase().includes(word));
  const shown = nodes.filter((node) => words.every((word) => hit(node, word)));
  if (shown.length === 0) return html`<section class="panel nothing"><p>No node matches.</p></section>`;
  return shown.map((node) => html`<${Node} key=${node.name} node=${node} />`);
}

function Node({ node }) {
  return html`<section class="panel node" data-testid="node" data-node=${node.name} data-state=${node.health}>
    <h2><${Mark} state=${node.health} /><span class="break">${node.name}</span><span class="faint mono">${node.address}</span>
      <span class="spread faint num">${node.passing}/${node.instances.length} pass</span></h2>
    ${node.why && html`<p class="blank"><${State} state=${node.health} /> ${node.why}</p>`}
    ${node.instances.length === 0 ? html`<p class="blank">Nothing runs here.</p>` : html`<ul class="berths">${node.instances.map((one) => html`<li key=${one.id} data-testid="node-instance" data-service=${one.service} data-state=${one.health}>
      <a class="berth" data-walk href=${instanceUrl(one.service, one.id, node.name)} title=${`${one.id}: ${word(one.health)}`}><${Mark} state=${one.health} /><span class="clip">${one.service}</span><span class="faint num">${one.port ? `:${one.port}` : ""}</span></a></li>`)}</ul>`}
  </section>`;
}
