// What happened, as it happens?
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../dom.js";
import { at, longDay } from "../format.js";
import { news } from "../live.js";
import { query, urlWith } from "../router.js";
import { answered } from "../resource.js";
import { API, entityUrl, incidentUrl } from "../oncall.js";
import { Filter, filterText } from "../parts/filter.js";
import { Moment } from "../parts/ago.js";
import { Waiting } from "../parts/oncall.js";
import { Mark } from "../parts/state.js";
import { Text } from "../parts/text.js";

const KINDS = [["", "All"], ["service", "Services"], ["deploy", "Deploys"], ["incident", "Incidents"], ["page", "Pages"], ["oncall", "On call"]];
const FIRST = 100, MOST = 1000;
const SEVERITIES = { critical: "critical", warning: "warning", good: "good", info: "info" };

export function Events() {
  const kind = query.value.get("kind") ?? "";
  const { rows, error, status, more } = useEvents(kind, filterText());
  return html`<div class="toolbar"><h1>Events</h1><nav class="segments" aria-label="Kind">${KINDS.map(([id, label]) => html`<a key=${id} href=${urlWith({ kind: id })} data-testid=${`kind-${id || "all"}`} aria-current=${kind === id ? "true" : undefined}>${label}</a>`)}</nav>
      <${Filter} placeholder="Filter by text or subject" /></div>
    ${!rows ? html`<${Waiting} error=${error} status=${status} />` : rows.length ? byDay(rows).map(([day, events]) => html`<section class="panel" key=${day}><h2>${day} <span class="faint num">${events.length}</span></h2>
      <ul class="events" data-testid="events">${events.map((one) => html`<${Event} key=${one.cursor} one=${one} />`)}</ul></section>`) : html`<section class="panel nothing" data-testid="empty"><p>${kind || filterText() ? "Nothing matches." : "Nothing has happened yet."}</p></section>`}
    ${more && html`<p class="more"><button type="button" class="button" onClick=${more}>Older</button></p>`}`;
}

function Event({ one }) {
  const name = (one.subject ?? "").replace(/^[a-z]+:/, "");
  // What incidents say often begins with it.
  const named = name && (["service", "deploy"].includes(one.kind) || !one.text.includes(name));
  const url = one.incident != null ? incidentUrl(one.incident) : entityUrl(one.subject ?? "");
  return html`<li data-testid="event" data-kind=${one.kind}><span class="when"><${Moment} at=${at(one.at)} /></span><${Mark} state=${SEVERITIES[one.severity] ?? "info"} label=${one.severity} />
    <span class="kind">${one.kind}</span><span class="break">${named && html`<b>${name}</b> `}${url ? html`<a data-walk href=${url}><${Text} text=${one.text} /></a>` : html`<${Text} text=${one.text} />`}</span></li>`;
}

function byDay(rows) {
  const days = new Map();
  // An outage becomes known after it began: what comes last is not always the latest.
  for (const one of [...rows].reverse().sort((a, b) => at(b.at) - at(a.at))) {
    const day = longDay(at(one.at));
    days.set(day, [...(days.get(day) ?? []), one]);
  }
  return [...days];
}

// The newest first, then what follows them, asked for when the stream says that something happened.
function useEvents(kind, text) {
  const [state, setState] = useState({ rows: null, error: null, status: 0 });
  const cursor = useRef(null);
  const [limit, setLimit] = useState(FIRST);
  useEffect(() => {
    let stopped = false, running = false, again = false, timer = null, last = 0;
    const asked = (more) => `${API}/events?${new URLSearchParams({ ...(kind && { kind }), ...(text && { text }), ...more })}`;
    const load = async () => {
      running = true;
      again = false;
      last = Date.now();
      const after = cursor.current;
      const answer = await answered(asked(after ? { after, limit: MOST } : { limit }));
      running = false;
      if (stopped) return;
      if (answer.data) cursor.current = answer.data.next ?? cursor.current;
      setState((before) => joined(before, answer, after));
      if (again) want();
    };
    const want = () => {
      again = true;
      if (running || document.hidden) return;
      clearTimeout(timer);
      timer = setTimeout(load, Math.max(0, last + 1000 - Date.now()));
    };
    cursor.current = null;
    timer = setTimeout(load, state.rows ? 150 : 0);
    let first = true;
    const stop = news.subscribe(() => { if (!first) want(); first = false; });
    const slow = setInterval(want, 15_000);
    document.addEventListener("visibilitychange", want);
    return () => { stopped = true; stop(); clearTimeout(timer); clearInterval(slow); document.removeEventListener("visibilitychange", want); };
  }, [kind, text, limit]);
  const full = state.rows && state.from >= limit && limit < MOST;
  return { ...state, more: full ? () => setLimit(Math.min(MOST, limit * 3)) : null };
}

function joined(before, answer, after) {
  if (!answer.data) return before.rows && !answer.status ? before : { rows: null, error: answer.error, status: answer.status };
  if (!after) return { rows: answer.data.events, error: null, status: 200, from: answer.data.events.length };
  const seen = new Set(before.rows?.map((one) => one.cursor));
  const fresh = answer.data.events.filter((one) => !seen.has(one.cursor));
  return fresh.length ? { ...before, rows: [...(before.rows ?? []), ...fresh] } : before;
}
