// What do the checks say, and since when?
import { html } from "../dom.js";
import { millis } from "../format.js";
import { For } from "./ago.js";
import { State } from "./state.js";

/** `checks` of a service, worst first; `bare` where the page is about one instance. */
export function Checks({ checks, bare = false }) {
  return html`<section class="panel" aria-labelledby="checks"><h2 id="checks">Checks <span class="faint num">${checks.length}</span></h2>
    ${checks.length === 0 ? html`<p class="blank">No check: every instance counts as passing. Give the container a label such as <code>SERVICE_CHECK_HTTP=/health</code>.</p>` : html`<table class="table list" role="table">
      <thead role="rowgroup"><tr role="row"><th role="columnheader">Status</th><th role="columnheader">Check</th><th role="columnheader">Last output</th><th role="columnheader" class="number">Response</th><th role="columnheader" class="number">For</th></tr></thead>
      <tbody role="rowgroup">${checks.map((check) => html`<tr role="row" key=${`${check.node}/${check.id}`} data-testid="check-row" data-check=${check.id} data-node=${check.node} data-state=${check.status}>
        <td role="cell"><${State} state=${check.status} /></td>
        <td role="cell"><div class="break">${check.name || check.id}</div><div class="faint small break">${bare ? (check.instance ? "its own" : "its node's") : check.instance ?? "node"}${check.kind && ` · ${check.kind}`}${bare ? "" : ` on ${check.node}`}</div></td>
        <td role="cell" class="cell-output"><${Output} text=${check.output || check.notes} /></td>
        <td role="cell" class="number num" data-label="response">${millis(check.response_ms)}</td>
        <td role="cell" class="number" data-label="for"><${For} at=${check.since} /></td></tr>`)}</tbody></table>`}</section>`;
}

function Output({ text }) {
  if (!text) return html`<span class="faint">–</span>`;
  const first = text.trim().split("\n", 1)[0];
  if (first === text.trim() && first.length < 90) return html`<span class="mono small break">${first}</span>`;
  return html`<details><summary class="mono small">${first.slice(0, 90)}…</summary><pre class="output">${text}</pre></details>`;
}
