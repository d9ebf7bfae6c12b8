// How was it year by year, month by month, day by day, hour by hour? Each period opens into its parts, and leads back out.
import { html } from "../dom.js";
import { clock, count, day, millis, monthName, monthOfYear, percent, span, weekday, word, zone } from "../format.js";
import { now } from "../live.js";
import { go, query, urlWith } from "../router.js";
import { useResource } from "../resource.js";
import { Bar } from "./bar.js";

/** What a period is divided into. */
const PARTS = { year: "month", month: "day", day: "hour" };
const LENGTHS = [["hour", "Hour"], ["day", "Day"], ["month", "Month"], ["year", "Year"]];
/** The period that is open, as `from` in the URL, where it is shown by hour, day or month. */
const OPEN = { hour: /^\d{4}-\d\d-\d\d/, day: /^\d{4}-\d\d/, month: /^\d{4}/ };
const DIGITS = { hour: 10, day: 7, month: 4 };
const RECENT = { hour: "last 24 hours", day: "last 30 days", month: "last 12 months", year: "all years" };

const pad = (n) => String(n).padStart(2, "0");
const named = (date, per) => `${String(date.getFullYear()).padStart(4, "0")}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`.slice(0, DIGITS[per]);

/** `open` is what `from` opens; `begin` and `end` are full periods of the viewer's calendar. */
function frame(per, from) {
  const open = OPEN[per]?.exec(from ?? "")?.[0];
  const step = (date, n) => new Date(date.getFullYear() + (per === "month") * n, date.getMonth() + (per === "day") * n, date.getDate() + (per === "hour") * n);
  if (open) {
    const [year, month = 1, day = 1] = open.split("-").map(Number);
    const begin = new Date(year, month - 1, day);
    return { open: named(begin, per), begin, end: step(begin, 1), before: named(step(begin, -1), per), after: named(step(begin, 1), per) };
  }
  const today = new Date(now.peek());
  const [year, month, day, hour] = [today.getFullYear(), today.getMonth(), today.getDate(), today.getHours()];
  const at = { hour: (n) => new Date(year, month, day, hour + n), day: (n) => new Date(year, month, day + n), month: (n) => new Date(year, month + n), year: (n) => new Date(year + n, 0) }[per];
  return { begin: per === "year" ? new Date(2000, 0) : at({ hour: -23, day: -29, month: -11 }[per]), end: at(1) };
}

/** The choice of a length, and below it the periods of that length that the URL asks for. */
export function Periods({ name }) {
  const asked = query.value.get("per");
  const per = LENGTHS.some(([id]) => id === asked) ? asked : null;
  const { open, begin, end, before, after } = per ? frame(per, query.value.get("from")) : {};
  const url = per && `/wharf/v1/uptime/${encodeURIComponent(name)}?${new URLSearchParams({ from: begin.getTime(), to: end.getTime(), per, zone: zone() })}`;
  const { data, error } = useResource(url, (news) => news.services.has(name));
  return html`<div class="drill" data-testid="periods" data-per=${per ?? ""} data-open=${open ?? ""}><span class="faint">By</span><nav class="segments" aria-label="Length of periods">${LENGTHS.map(([id, label]) => html`<a key=${id} data-stay href=${urlWith({ per: id, from: "" })}
      data-testid=${`per-${id}`} aria-current=${per === id ? "true" : undefined}>${label}</a>`)}</nav>
    ${per && html`<${Way} per=${per} open=${open} />${open && html`<span class="stepper"><a class="button" data-stay href=${urlWith({ from: before })} aria-label="Before">←</a>${end.getTime() < now.value && html`<a class="button" data-stay href=${urlWith({ from: after })} aria-label="After">→</a>`}</span>`}
      <span class="spread"><a href=${`${url}&format=csv`}>CSV</a> <a class="close-drill" data-stay href=${urlWith({ per: "", from: "" })}>Close</a></span>`}</div>
    ${per && (data ? html`<${Table} report=${data.services[0]} per=${data.per} name=${name} />` : html`<p class="blank" aria-busy=${!error}>${error ?? "…"}</p>`)}`;
}

// "All years / 2026 / November / 22": each leads out to where it stands.
function Way({ per, open }) {
  if (!open) return html`<span class="faint" data-testid="way">${RECENT[per]}</span>`;
  const [year, month, day] = open.split("-");
  const long = month && monthName(month);
  const steps = [["All years", { per: "year", from: "" }], [year, { per: "month", from: year }], month && [long, { per: "day", from: `${year}-${month}` }], day && [String(Number(day))]].filter(Boolean);
  return html`<nav class="way" aria-label="Open period" data-testid="way">${steps.map(([label, to], at) => html`<span key=${label}>${at > 0 && html`<span class="faint" aria-hidden="true">/ </span>`}${at < steps.length - 1 ? html`<a data-stay href=${urlWith(to)}>${label}</a>` : html`<b aria-current="true">${label}</b>`}</span>`)}</nav>`;
}

const LABELS = {
  hour: (from, to) => `${weekday(from)} ${clock(from)} – ${clock(to)}`,
  day: (from) => `${weekday(from)} ${day(from)}`,
  month: monthOfYear,
  year: (from) => String(from.getFullYear()),
};

function Table({ report, per, name }) {
  const periods = report ? known(report.periods).map((one) => ({ ...one, ...leads(one, per) })) : [];
  if (!periods.length) return html`<p class="blank">Nothing is known of this time.</p>`;
  return html`${periods.length > 3 && html`<div class="padded"><${Bar} periods=${periods.map(seen)} name=${name} pick=${PARTS[per] && ((one) => go(one.url, true))} /></div>`}
    <table class="table list periods" role="table"><thead role="rowgroup"><tr role="row"><th role="columnheader">${LENGTHS.find(([id]) => id === per)[1]}</th>${COLUMNS.map(([label]) => html`<th key=${label} role="columnheader" class="number">${label}</th>`)}</tr></thead>
    <tbody role="rowgroup">${periods.toReversed().map((one) => html`<tr role="row" key=${one.from} data-testid="period-row" data-per=${per} data-period=${one.period}>
      <td role="cell">${one.url ? html`<a class="name" data-walk data-stay href=${one.url}>${one.label}</a>` : one.label}${one.to > now.value && html` <span class="faint small">so far</span>`}</td><${Figures} of=${one} /></tr>`)}</tbody>
    <tfoot role="rowgroup"><tr role="row"><td role="cell">Together</td><${Figures} of=${report.total} /></tr></tfoot></table>`;
}

// What has not come yet, and what was before anybody looked, has no row.
function known(periods) {
  const begun = periods.filter((one) => one.from < now.value);
  const first = begun.findIndex((one) => one.tested_ms > 0 || one.tests > 0 || one.state !== "unmonitored");
  return first < 0 ? [] : begun.slice(first);
}

function leads(one, per) {
  const from = new Date(one.from);
  const part = PARTS[per];
  const period = part ? named(from, part) : `${named(from, per)}T${pad(from.getHours())}`;
  return { period, label: LABELS[per](from, new Date(one.to)), url: part && urlWith({ per: part, from: period }) };
}

// In a long period nearly every state comes up: what counts is whether it was down.
const seen = (one) => (one.availability == null ? one : { ...one, state: one.downtime_ms ? "down" : "up" });

const COLUMNS = [
  ["Availability", (one) => (one.availability == null ? html`<span class="faint">${word(one.state)}</span>` : html`<span class=${one.availability < 0.99 ? "tone-bad" : ""}>${percent(one.availability)}</span>`)],
  ["Downtime", (one) => (one.downtime_ms ? span(one.downtime_ms) : html`<span class="faint">–</span>`)],
  ["Outages", (one) => (one.outages ? count(one.outages) : html`<span class="faint">–</span>`)],
  ["Responsive", (one) => percent(one.responsiveness)],
  ["Mean", (one) => millis(one.response_time_ms)],
  ["p95", (one) => millis(one.p95_ms)],
  ["p99", (one) => millis(one.p99_ms)],
];

function Figures({ of }) {
  return COLUMNS.map(([label, show]) => html`<td key=${label} role="cell" class="number num" data-label=${label.toLowerCase()}>${show(of)}</td>`);
}
