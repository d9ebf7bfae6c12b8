// What pages nobody for now, and why?
import { useState } from "preact/hooks";
import { html } from "../dom.js";
import { at, hours, written } from "../format.js";
import { now } from "../live.js";
import { query } from "../router.js";
import { useResource, oncallNews } from "../resource.js";
import { API, act } from "../oncall.js";
import { Planned, Until } from "../parts/ago.js";
import { Add, EditButton, Editor } from "../parts/editor.js";
import { Holds, Matchers, OncallHead, Origin, Waiting } from "../parts/oncall.js";
import { Mark } from "../parts/state.js";
import { Windows } from "../parts/windows.js";

export function Silences() {
  const { data, error, status } = useResource(`${API}/oncall/silences`, oncallNews);
  const windows = useResource(`${API}/oncall/maintenance`, oncallNews).data?.maintenance;
  const [edited, edit] = useState(null);
  const all = data && [...data.silences].sort((a, b) => Number(ended(a)) - Number(ended(b)) || at(b.from) - at(a.from));
  return html`<${OncallHead} /><${NewSilence} match=${query.value.get("match") ?? ""} key=${query.value.get("match")} />
    ${all ? html`<section class="panel" aria-labelledby="silences"><h2 id="silences">Silences <span class="faint num">${all.filter((one) => one.active).length} active</span></h2>
      ${all.length ? html`<ul class="rows">${all.map((one) => html`<${Silence} key=${one.id} one=${one} />`)}</ul>` : html`<p class="blank">None. A silenced incident is followed as ever, and pages nobody.</p>`}</section>` : html`<${Waiting} error=${error} status=${status} />`}
    <${Windows} edit=${edit} />
    ${windows && html`<section class="panel" aria-labelledby="maintenance" data-testid="maintenance"><h2 id="maintenance">Planned silence <span class="faint num">${windows.length}</span><${Add} kind="maintenance" edit=${edit} /></h2>
      ${windows.length ? html`<ul class="rows">${windows.map((one) => html`<${Window} key=${one.id} one=${one} edit=${edit} />`)}</ul>` : html`<p class="blank">None. Alerts that match page nobody then, once or again and again; uptime is counted on.</p>`}</section>`}
    ${edited && html`<${Editor} ...${edited} done=${() => edit(null)} />`}`;
}

function Window({ one, edit }) {
  return html`<li tabindex="-1" data-walk data-testid="window" data-key=${one.id} data-origin=${one.origin}><${Mark} state=${one.active ? "active" : "planned"} label=${one.active ? "now" : "planned"} /><span class="break grow"><b>${one.id}</b> <${Matchers} match=${one.match} /><span class="faint"> · ${recurrence(one)}${one.comment ? ` · ${one.comment}` : ""}</span>
      <${Holds} incidents=${one.covers} /></span>
    <${EditButton} kind="maintenance" thing=${{ key: one.id, ...one }} edit=${edit} /><${Origin} origin=${one.origin} /></li>`;
}

const ended = (one) => at(one.until) <= now.peek();

function recurrence(one) {
  if (!one.at) return `${written(one.from)} – ${written(one.until)}${one.time_zone ? `, ${one.time_zone}` : ""}`;
  const days = [...(one.days ?? []), ...(one.days_of_month ?? []).map((day) => `day ${day}`)].join(", ") || "every day";
  return `${days} at ${hours(one.at)} for ${one.lasts}${one.time_zone ? `, ${one.time_zone}` : ""}`;
}

function Silence({ one }) {
  const over = ended(one);
  return html`<li class=${over ? "over" : ""} tabindex="-1" data-walk data-testid="silence" data-id=${one.id} data-active=${String(one.active)}><${Mark} state=${one.active ? "active" : over ? "unmonitored" : "planned"} label=${one.active ? "active" : over ? "over" : "planned"} />
    <span class="break grow"><${Matchers} match=${one.match} />${one.comment && html` ${one.comment}`}
      <span class="faint"> · ${over ? "ended" : at(one.from) > now.peek() ? html`from <${Planned} at=${at(one.from)} /> until` : "until"} <${Planned} at=${at(one.until)} />${!over && html`, <${Until} at=${at(one.until)} />`}${one.by && ` · by ${one.by}`}</span>
      <${Holds} incidents=${one.covers} /></span>
    <${Origin} origin=${one.origin} />${one.origin === "api" && !over && html`<button type="button" class="button" data-testid="end-silence" onClick=${() => act("DELETE", `/oncall/silences/${encodeURIComponent(one.id)}`, null, "the silence has ended")}>End</button>`}</li>`;
}

function NewSilence({ match }) {
  const [form, setForm] = useState({ match, for: "1h", comment: "" });
  const set = (key) => (event) => setForm({ ...form, [key]: event.currentTarget.value });
  const matchers = form.match.split("\n").map((line) => line.trim()).filter(Boolean);
  const submit = async (event) => {
    event.preventDefault();
    if (await act("POST", "/oncall/silences", { match: matchers, for: form.for.trim(), comment: form.comment.trim() }, "silenced")) setForm({ match: "", for: "1h", comment: "" });
  };
  return html`<details class="panel fold" open=${Boolean(match)}><summary>New silence</summary><form class="form padded" onSubmit=${submit}>
    <label class="field wide"><span>Match, one a line, all of them</span><textarea rows="2" class="mono" value=${form.match} onInput=${set("match")} placeholder=${'service="web"\nhost=~"db-.*"'} spellcheck="false" data-testid="silence-match" /></label>
    <label class="field"><span>For</span><input value=${form.for} onInput=${set("for")} placeholder="1h 30m" data-testid="silence-for" /></label>
    <label class="field"><span>Why</span><input value=${form.comment} onInput=${set("comment")} maxlength="200" data-testid="silence-comment" /></label>
    <div class="actions wide"><button class="button primary" disabled=${!matchers.length || !form.for.trim()} data-testid="silence-save">Silence</button></div></form></details>`;
}
