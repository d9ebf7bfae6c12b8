// Who is on duty when, where is a gap, and who stands in?
import { useState } from "preact/hooks";
import { html } from "../dom.js";
import { longDay, monthOfYear, zone } from "../format.js";
import { now } from "../live.js";
import { query, setQuery, urlWith } from "../router.js";
import { useResource, oncallNews } from "../resource.js";
import { API } from "../oncall.js";
import { Exceptions } from "../parts/exceptions.js";
import { OncallHead, Waiting } from "../parts/oncall.js";
import { StandIn } from "../parts/standin.js";
import { Strip } from "../parts/strip.js";

const DAY = 86_400_000;

export function Calendar() {
  const view = query.value.get("view") === "month" ? "month" : "week";
  const only = query.value.get("rotation") ?? "";
  const [chosen, choose] = useState(null);
  const anchor = day(query.value.get("at")) ?? new Date(now.value);
  const weeks = view === "month" ? monthOf(anchor) : [weekOf(anchor)];
  const [from, until] = [weeks[0][0], weeks.at(-1)[1]];
  const { data, error, status } = useResource(`${API}/oncall/schedule?${new URLSearchParams({ from: new Date(from).toISOString(), until: new Date(until).toISOString() })}`, oncallNews);
  if (!data) return html`<${OncallHead} /><${Waiting} error=${error} status=${status} />`;
  const shown = only ? data.rotations.filter((one) => one.rotation === only) : data.rotations;
  return html`<${OncallHead} /><${Controls} view=${view} anchor=${anchor} only=${only} rotations=${data.rotations} />
    <section class="panel calendar" aria-label="Shifts" data-testid="calendar" data-view=${view}><h2><span>${heading(view, anchor, weeks)}</span><span class="faint">${zone()}, yours</span><${Legend} /></h2>
      ${weeks.map(([start, end]) => html`<${Strip} key=${start} from=${start} until=${end} rotations=${shown} choose=${choose} chosen=${chosen} />`)}
      ${shown.length === 0 && html`<p class="blank">No rotation.</p>`}</section>
    ${chosen ? html`<${StandIn} key=${`${chosen.rotation}${chosen.from}${chosen.until}`} chosen=${chosen} schedule=${data} done=${() => choose(null)} />` : html`<p class="about faint">Choose a shift or a gap, or draw over a stretch of time, and somebody stands in. <button type="button" class="plain" data-testid="new-override" onClick=${() => choose(blank(shown))}>By dates instead</button></p>`}
    <${Exceptions} overrides=${data.overrides} swaps=${data.swaps} />`;
}

function Controls({ view, anchor, only, rotations }) {
  const step = (by) => {
    const next = new Date(anchor);
    if (view === "week") next.setDate(next.getDate() + 7 * by);
    else next.setMonth(next.getMonth() + by, 1);
    return urlWith({ at: text(next) });
  };
  return html`<div class="toolbar second"><nav class="segments" aria-label="View"><a href=${urlWith({ view: "" })} aria-current=${view === "week" ? "true" : undefined}>Week</a><a href=${urlWith({ view: "month" })} data-testid="view-month" aria-current=${view === "month" ? "true" : undefined}>Month</a></nav>
    <span class="stepper"><a class="button" href=${step(-1)} aria-label="Earlier">‹</a><a class="button" href=${urlWith({ at: "" })}>Today</a><a class="button" href=${step(1)} aria-label="Later" data-testid="later">›</a></span>
    <select class="button" aria-label="Rotation" value=${only} onChange=${(event) => setQuery({ rotation: event.currentTarget.value })}><option value="">All rotations</option>${rotations.map((one) => html`<option key=${one.rotation} value=${one.rotation}>${one.rotation}</option>`)}</select></div>`;
}

function Legend() {
  return html`<span class="legend spread faint small" aria-hidden="true"><span class="shift cause-override">stands in</span><span class="shift cause-swap">traded</span><span class="shift gap">gap</span></span>`;
}

// The next whole hour, for a day: something to correct.
function blank(rotations) {
  const start = Math.ceil(now.peek() / 3_600_000) * 3_600_000;
  return { rotation: rotations[0]?.rotation ?? "", from: start, until: start + DAY };
}

function heading(view, anchor, weeks) {
  if (view === "month") return monthOfYear(anchor);
  return `Week of ${longDay(weeks[0][0])}`;
}

function weekOf(date) {
  const start = new Date(date);
  start.setHours(0, 0, 0, 0);
  start.setDate(start.getDate() - ((start.getDay() + 6) % 7));
  const end = new Date(start);
  end.setDate(end.getDate() + 7);
  return [+start, +end];
}

function monthOf(date) {
  const [first, last] = [new Date(date), new Date(date)];
  first.setDate(1);
  last.setMonth(last.getMonth() + 1, 0);
  const weeks = [weekOf(first)];
  while (weeks.at(-1)[1] <= +last) weeks.push(weekOf(new Date(weeks.at(-1)[1])));
  return weeks;
}

const pad = (n) => String(n).padStart(2, "0");
const text = (date) => `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;

function day(given) {
  const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(given ?? "");
  const date = found && new Date(Number(found[1]), Number(found[2]) - 1, Number(found[3]));
  return date && !Number.isNaN(+date) ? date : null;
}
