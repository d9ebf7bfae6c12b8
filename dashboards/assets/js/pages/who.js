// Who is paged, were an incident to begin then and nobody to acknowledge it?
import { html } from "../dom.js";
import { at, moment, span, utc, zone } from "../format.js";
import { now } from "../live.js";
import { query, setQuery } from "../router.js";
import { useResource, oncallNews } from "../resource.js";
import { API, byWhat, tint, useConfig } from "../oncall.js";
import { OncallHead, Waiting } from "../parts/oncall.js";
import { Text } from "../parts/text.js";
import { iso, local } from "../parts/standin.js";

const LENGTHS = [["1h", "the first hour"], ["4h", "four hours"], ["24h", "a day"]];

export function Who() {
  const get = (name) => query.value.get(name) ?? "";
  const asked = new URLSearchParams({ for: LENGTHS.some(([id]) => id === get("for")) ? get("for") : "1h" });
  if (iso(get("at"))) asked.set("at", iso(get("at")));
  if (get("key")) asked.set("routing_key", get("key"));
  const { data, error, status } = useResource(`${API}/oncall/who?${asked}`, oncallNews);
  const keys = Object.keys(useConfig().data?.routing?.keys ?? {});
  return html`<${OncallHead} /><div class="panel"><div class="form padded question"><label class="field"><span>An incident begins (${zone()})</span><input type="datetime-local" data-testid="who-at" value=${get("at") || local(now.peek())} onInput=${(event) => setQuery({ at: event.currentTarget.value })} /></label>
      <label class="field"><span>Routing key</span><select value=${get("key")} onChange=${(event) => setQuery({ key: event.currentTarget.value })} data-testid="who-key"><option value="">none: the default policy</option>${keys.map((key) => html`<option key=${key} value=${key}>${key}</option>`)}</select></label>
      <label class="field"><span>Nobody acknowledges for</span><select value=${asked.get("for")} onChange=${(event) => setQuery({ for: event.currentTarget.value === "1h" ? "" : event.currentTarget.value })}>${LENGTHS.map(([id, label]) => html`<option key=${id} value=${id}>${label}</option>`)}</select></label></div></div>
    ${data ? html`<${Answer} data=${data} />` : html`<${Waiting} error=${error} status=${status} />`}`;
}

function Answer({ data }) {
  const start = at(data.at);
  return html`<section class="panel" aria-labelledby="planned" data-testid="planned"><h2 id="planned"><span>${moment(start)}</span><span class="faint" title=${utc(start)}>policy ${data.policy ?? "none"}</span></h2>
    ${data.planned.length === 0 ? html`<p class="blank"><b>Nobody is paged.</b> No step of the policy reaches anybody in that time.</p>` : html`<ol class="plan">${data.planned.map((one, n) => html`<li key=${n} data-testid="planned-page" data-user=${one.user ?? one.receiver}>
      <time class="num after" datetime=${one.at} title=${`${moment(at(one.at))} (${utc(at(one.at))})`}>${at(one.at) === start ? "at once" : `+ ${span(at(one.at) - start)}`}</time>
      <span class=${`badge tint-${tint(one.user ?? one.receiver)}`}>${one.user ?? one.receiver}</span><span>${byWhat(one)}${one.user ? "" : html` <span class="faint">told, not paged</span>`}</span><span class="soft"><${Text} text=${one.reason} /></span></li>`)}</ol>`}</section>`;
}
