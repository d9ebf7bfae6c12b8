// The services table: how is everything, worst first?
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { html } from "../dom.js";
import { board, connection, counts, services } from "../live.js";
import { query, serviceUrl, setQuery, urlWith } from "../router.js";
import { filtered, shownState, sorted, toggled } from "../table.js";
import { millis, percent } from "../format.js";
import { Bar } from "../parts/bar.js";
import { For } from "../parts/ago.js";
import { State } from "../parts/state.js";
import { Filter, filterText } from "../parts/filter.js";
import { FirstService } from "../parts/first.js";
import { Text } from "../parts/text.js";
import { useVirtual } from "../parts/virtual.js";

const COLUMNS = [
  { id: "state", label: "State" },
  { id: "name", label: "Service" },
  { label: "Last 24 hours" },
  { id: "availability", label: "Availability", number: true },
  { id: "response", label: "Response", number: true },
  { id: "instances", label: "Instances", number: true },
  { id: "since", label: "For", number: true },
];
const CHIPS = ["down", "degraded", "starting", "up", "paused", "unmonitored"];

export function Services() {
  const all = services.value;
  if (connection.value === "connecting" || !board.value) return html`<${Skeleton} />`;
  if (all.size === 0) return html`<h1 class="sr">Services</h1><${FirstService} />`;
  return html`<${Board} all=${all} />`;
}

function Board({ all }) {
  const text = filterText();
  const sort = query.value.get("sort") ?? "state";
  const reverse = query.value.get("dir") === "desc";
  const rows = useMemo(() => sorted(filtered([...all.values()], text), sort, reverse), [all, text, sort, reverse]);
  return html`<div class="toolbar"><h1>Services</h1><${Chips} all=${all} text=${text} /><${Filter} placeholder="Filter by name, tag or state" /></div>
    <div class="panel"><table class="table services" data-testid="services" role="table" aria-rowcount=${rows.length + 1}>
      <thead role="rowgroup"><tr role="row">${COLUMNS.map((column) => html`<${Heading} key=${column.label} column=${column} sort=${sort} reverse=${reverse} />`)}</tr></thead>
      <${Rows} rows=${rows} text=${text} />
    </table>${rows.length === 0 && html`<${Nothing} text=${text} />`}</div>
    <p class="hint faint"><kbd>/</kbd> filter <kbd>j</kbd><kbd>k</kbd> move <kbd>Enter</kbd> open <kbd>Ctrl</kbd><kbd>K</kbd> go anywhere <kbd>?</kbd> keys</p>`;
}

// Heights are those of wharf.css, for rows and, where the window is narrow, cards.
const ROW = () => 50;
const CARD = (row) => (tells(row) ? 138 : 116);
const tells = (row) => shownState(row) !== "up" && Boolean(row.reason);

function Rows({ rows, text }) {
  const body = useRef(null);
  const { from, to, above, below } = useVirtual(rows, useNarrow() ? CARD : ROW, body);
  const span = board.value.window;
  return html`<tbody role="rowgroup" ref=${body}>${above > 0 && html`<${Gap} height=${above} />`}
    ${rows.slice(from, to).map((row, n) => html`<${Row} key=${row.name} row=${row} at=${from + n + 2} span=${span} text=${text} />`)}
    ${below > 0 && html`<${Gap} height=${below} />`}</tbody>`;
}

const Gap = ({ height }) => html`<tr role="presentation" class="left-out" style=${{ height: `${height}px` }}><td colspan=${COLUMNS.length} /></tr>`;

function useNarrow() {
  const media = useMemo(() => window.matchMedia("(max-width: 760px)"), []);
  const [narrow, setNarrow] = useState(media.matches);
  useEffect(() => {
    const changed = () => setNarrow(media.matches);
    media.addEventListener("change", changed);
    return () => media.removeEventListener("change", changed);
  }, []);
  return narrow;
}

function Chips({ all, text }) {
  const found = {};
  for (const row of all.values()) found[shownState(row)] = (found[shownState(row)] ?? 0) + 1;
  const chosen = text.split(/\s+/).find((word) => word.startsWith("state:"))?.slice(6);
  const shown = CHIPS.filter((state) => found[state] || state === chosen);
  if (shown.length < 2 && !chosen) return html`<span class="chips" />`;
  return html`<span class="chips" role="group" aria-label="Show only">${shown.map((state) => html`<button key=${state} type="button" class="chip"
    aria-pressed=${String(chosen === state)} data-testid=${`chip-${state}`} onClick=${() => setQuery({ q: toggled(text, `state:${state}`) })}>
    <${State} state=${state} /><span class="num">${found[state] ?? 0}</span></button>`)}</span>`;
}

function Heading({ column, sort, reverse }) {
  const kind = `cell-${column.id ?? "bar"}${column.number ? " number" : ""}`;
  if (!column.id) return html`<th role="columnheader" scope="col" class=${kind}>${column.label}</th>`;
  const active = sort === column.id;
  const next = urlWith({ sort: column.id === "state" ? "" : column.id, dir: active && !reverse ? "desc" : "" });
  return html`<th role="columnheader" scope="col" class=${kind} aria-sort=${active ? (reverse ? "descending" : "ascending") : "none"}>
    <a href=${next} data-testid=${`sort-${column.id}`}>${column.label}<span class="arrow" aria-hidden="true">${active ? (reverse ? "↑" : "↓") : ""}</span></a></th>`;
}

function Row({ row, at, span, text }) {
  const state = shownState(row);
  return html`<tr role="row" aria-rowindex=${at} class=${`row row-${state}`} data-testid="service-row" data-service=${row.name} data-state=${row.state} data-degraded=${String(Boolean(row.degraded))}>
    <td role="cell" class="cell-state"><${State} state=${state} /></td>
    <td role="cell" class="cell-name"><a class="name" data-walk href=${serviceUrl(row.name)} title=${row.name}>${row.name}</a><${Tags} tags=${row.tags} text=${text} />
      ${tells(row) && html`<div class="reason" title=${row.reason}><${Text} text=${row.reason} /></div>`}</td>
    <td role="cell" class="cell-bar"><${Bar} bar=${row.bar} window=${span} name=${row.name} /></td>
    <td role="cell" class="cell-availability number num" data-label="available">${percent(row.availability)}</td>
    <td role="cell" class="cell-response number num" data-label="response">${millis(row.response_ms)}</td>
    <td role="cell" class="cell-instances number num" data-label="instances"><${Passing} row=${row} /></td>
    <td role="cell" class="cell-since number" data-label="for"><${For} at=${row.since} /></td>
  </tr>`;
}

function Passing({ row }) {
  const tone = { down: "tone-bad", degraded: "tone-warn" }[shownState(row)] ?? "";
  return html`<span class=${tone} title=${`${row.passing} of ${row.total} instances pass`}>${row.passing}<span class="faint">/${row.total}</span></span>`;
}

function Tags({ tags, text }) {
  if (!tags.length) return null;
  return html`<span class="tags">${tags.map((tag) => html`<button key=${tag} type="button" class="tag" title=${`Only tag ${tag}`}
    onClick=${() => setQuery({ q: toggled(text, `tag:${tag.toLowerCase()}`) })}>${tag}</button>`)}</span>`;
}

function Nothing({ text }) {
  return html`<div class="nothing"><p>No service matches <b>${text}</b>.</p>
    <button type="button" class="button" onClick=${() => setQuery({ q: "" })}>Show all ${counts.value.all}</button></div>`;
}

function Skeleton() {
  return html`<div class="toolbar"><h1>Services</h1></div><div class="panel skeleton" aria-busy="true">
    ${[0, 1, 2, 3, 4, 5].map((at) => html`<div key=${at} class="bone" />`)}</div>`;
}
