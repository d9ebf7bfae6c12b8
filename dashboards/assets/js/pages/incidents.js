// What is open, who is at it, and what was?
import { useEffect, useState } from "preact/hooks";
import { html } from "../dom.js";
import { query, urlWith } from "../router.js";
import { oncallNews } from "../resource.js";
import { useOlder } from "../older.js";
import { API, sent, whoActs } from "../oncall.js";
import { plain } from "../keys.js";
import { nudge } from "../live.js";
import { say } from "../parts/toast.js";
import { Filter, filterText } from "../parts/filter.js";
import { IncidentTable } from "../parts/incidents.js";
import { Me } from "../parts/me.js";
import { NoOncall } from "../parts/oncall.js";

const STATES = [["", "Open first"], ["open", "Open"], ["triggered", "Triggered"], ["acknowledged", "Acknowledged"], ["resolved", "Resolved"]];

export function Incidents() {
  const asked = query.value.get("state");
  const state = STATES.some(([id]) => id === asked) ? asked : "";
  const [chosen, setChosen] = useState(new Set());
  const choose = (id) => setChosen((before) => toggled(before, id));
  const clear = () => setChosen(new Set());
  useEffect(() => {
    const key = (event) => {
      if (!plain(event)) return;
      if (event.key === "Escape") clear();
      const row = document.activeElement.closest?.("[data-testid=incident-row]");
      if (event.key === "x" && row && row.querySelector("input")) choose(Number(row.dataset.id));
    };
    document.addEventListener("keydown", key);
    return () => document.removeEventListener("keydown", key);
  }, []);
  const entity = query.value.get("entity");
  const parts = state ? [state] : ["open", "resolved"];
  const lists = [useList(parts[0]), useList(parts[1])].slice(0, parts.length);
  // Together or not at all: one that comes later would push the other away.
  const ready = lists.every((list) => list.rows || list.error);
  return html`<div class="toolbar"><h1>Incidents</h1><nav class="segments" aria-label="State">${STATES.map(([id, label]) => html`<a key=${id} href=${urlWith({ state: id })}
      data-testid=${`state-${id || "all"}`} aria-current=${state === id ? "true" : undefined}>${label}</a>`)}</nav>
      ${entity && html`<a class="chip" href=${urlWith({ entity: "" })} title="Show those of everything"><span class="mono small">${entity}</span> ×</a>`}<${Me} /><${Filter} placeholder="Filter by title, message or entity" /></div>
    ${ready ? parts.map((part, n) => html`<${Part} key=${part} state=${part} list=${lists[n]} chosen=${chosen} choose=${choose} />`) : html`<div class="panel skeleton tall" aria-busy="true" />`}
    ${chosen.size > 0 && html`<${Several} chosen=${chosen} clear=${clear} />`}
    ${ready && html`<p class="hint faint"><kbd>j</kbd><kbd>k</kbd> move <kbd>Enter</kbd> open <kbd>x</kbd> select <a href="/ui/outages">Outages of services, day by day</a></p>`}`;
}

function useList(state) {
  const asked = state && new URLSearchParams({ state, text: filterText(), entity: query.value.get("entity") ?? "", limit: 100 });
  return useOlder(asked ? `${API}/incidents?${asked}` : null, "incidents", "id", oncallNews);
}

function toggled(before, id) {
  const next = new Set(before);
  next.delete(id) || next.add(id);
  return next;
}

const HEADINGS = { open: "Open", triggered: "Triggered", acknowledged: "Acknowledged", resolved: "Resolved" };

function Part({ state, list, chosen, choose }) {
  const { rows, error, status, more, loading } = list;
  if (status === 404) return state === "resolved" ? null : html`<${NoOncall} />`;
  if (!rows) return html`<section class="panel nothing"><p>${error}</p></section>`;
  return html`<section class="panel" aria-label=${HEADINGS[state]} data-testid=${`part-${state}`}><h2>${HEADINGS[state]} <span class="faint num">${rows.length}${more ? "+" : ""}</span></h2>
    ${rows.length ? html`<${IncidentTable} incidents=${rows} chosen=${chosen} choose=${state === "resolved" ? undefined : choose} />` : html`<p class="blank">${filterText() ? "None matches." : state === "resolved" ? "None so far." : "Nothing is open."}</p>`}
    ${more && html`<p class="more"><button type="button" class="button" disabled=${loading} onClick=${more}>Older</button></p>`}</section>`;
}

function Several({ chosen, clear }) {
  const both = async (what, done) => {
    const by = await whoActs();
    if (!by) return;
    const { data, error } = await sent("POST", `${API}/incidents/${what}`, JSON.stringify({ by, ids: [...chosen] }));
    nudge();
    if (error) return say(error, "bad");
    if (data.refused.length) say(data.refused.map((one) => `#${one.id}: ${one.error}`).join("; "), "bad");
    else say(`${data.done.map((id) => `#${id}`).join(", ")} ${done}`);
    clear();
  };
  return html`<div class="several" role="toolbar" aria-label="Selected incidents" data-testid="several"><b class="num">${chosen.size} selected</b>
    <button type="button" class="button primary" data-testid="several-acknowledge" onClick=${() => both("acknowledge", "acknowledged")}>Acknowledge</button>
    <button type="button" class="button" data-testid="several-resolve" onClick=${() => both("resolve", "resolved")}>Resolve</button>
    <button type="button" class="button" onClick=${clear}>Clear</button></div>`;
}
