// A stretch of time with a lane for each rotation: who is on duty when, where nobody is, and what is an exception.
import { useRef, useState } from "preact/hooks";
import { html } from "../dom.js";
import { at, planned, utc, weekday } from "../format.js";
import { now } from "../live.js";
import { tint } from "../oncall.js";
import { hideTip, showTip } from "./tip.js";

const HALF_HOUR = 1_800_000, DAY = 86_400_000;
const CAUSES = { override: "stands in", swap: "traded" };

/**
 * `rotations` as the schedule has them, shown from `from` to `until` (milliseconds). `choose({ rotation, shift | gap, from, until })`
 * is called for what is clicked or drawn with the pointer.
 */
export function Strip({ from, until, rotations, choose, chosen, names = true }) {
  const place = (start, end) => {
    const share = (ms) => `${(((Math.min(until, Math.max(from, ms)) - from) / (until - from)) * 100).toFixed(4)}%`;
    return { left: share(start), width: `calc(${share(end)} - ${share(start)})` };
  };
  const days = daysOf(from, until);
  const today = now.value;
  return html`<div class=${names ? "strip" : "strip strip-bare"}><div class="strip-head" aria-hidden="true"><div class="lane-name" /><div class="lane-track">${days.map((day) => html`<span key=${day} class=${isToday(day, today) ? "day today" : "day"} style=${place(day, nextDay(day))}>${dayName(day, days.length)}</span>`)}</div></div>
    ${rotations.map((one) => html`<${Lane} key=${one.rotation} one=${one} from=${from} until=${until} place=${place} days=${days} choose=${choose} chosen=${chosen} today=${today} />`)}</div>`;
}

function Lane({ one, from, until, place, days, choose, chosen, today }) {
  const track = useRef(null);
  const [drawn, draw] = useState(null);
  const moment = (event) => {
    const box = track.current.getBoundingClientRect();
    const ms = from + ((event.clientX - box.left) / box.width) * (until - from);
    return Math.min(until, Math.max(from, Math.round(ms / HALF_HOUR) * HALF_HOUR));
  };
  const down = (event) => { if (choose && event.button === 0 && event.pointerType === "mouse") draw({ x: event.clientX, start: moment(event), end: null }); };
  const move = (event) => {
    if (!drawn || Math.abs(event.clientX - drawn.x) < 5 && drawn.end == null) return;
    if (drawn.end == null) track.current.setPointerCapture(event.pointerId);
    hideTip();
    draw({ ...drawn, end: moment(event) });
  };
  const up = () => {
    if (drawn?.end != null && drawn.end !== drawn.start) choose({ rotation: one.rotation, from: Math.min(drawn.start, drawn.end), until: Math.max(drawn.start, drawn.end) });
    draw(null);
  };
  const range = drawn?.end != null ? [Math.min(drawn.start, drawn.end), Math.max(drawn.start, drawn.end)] : chosen?.rotation === one.rotation ? [chosen.from, chosen.until] : null;
  return html`<div class="lane" data-rotation=${one.rotation}><div class="lane-name break">${one.rotation}</div>
    <div class="lane-track" ref=${track} role="list" aria-label=${one.rotation} onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onPointerCancel=${() => draw(null)}>
      ${days.map((day) => html`<i key=${day} class="day-rule" style=${place(day, nextDay(day))} />`)}
      ${within(one.shifts, from, until).map((shift) => html`<${Block} key=${`s${shift.from}`} shift=${shift} rotation=${one.rotation} place=${place} choose=${choose} />`)}
      ${within(one.gaps, from, until).map((gap) => html`<${Block} key=${`g${gap.from}`} gap=${gap} rotation=${one.rotation} place=${place} choose=${choose} />`)}
      ${range && range[1] > from && range[0] < until && html`<i class="drawn" style=${place(...range)} />`}
      ${today >= from && today < until && html`<i class="now-line" style=${{ left: place(today, today).left }} />`}
    </div></div>`;
}

const within = (all, from, until) => all.filter((one) => at(one.until) > from && at(one.from) < until);

function Block({ shift, gap, rotation, place, choose }) {
  const one = shift ?? gap;
  const [start, end] = [at(one.from), at(one.until)];
  const who = shift ? shift.name || shift.user : "nobody";
  const what = shift ? CAUSES[shift.cause] : gap.off_hours ? "off hours" : "gap";
  const label = `${rotation}: ${who}${what ? ` (${what})` : ""}, ${planned(start)} – ${planned(end)}`;
  const tell = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    showTip(Math.max(box.left, 0) + Math.min(box.width, 160) / 2, box.top, [{ text: `${who}${what ? `, ${what}` : ""}` }, { text: `${planned(start)} – ${planned(end)}` }, { text: `${utc(start)} – ${utc(end)}`, tone: "faint" }]);
  };
  const style = place(start, end);
  const kind = shift ? `shift tint-${tint(shift.user)} cause-${shift.cause}` : gap.off_hours ? "shift off" : "shift gap";
  return html`<div role="listitem" class="slot-box" style=${style}><button type="button" class=${kind} aria-label=${label} data-testid=${shift ? "shift" : "gap"} data-user=${shift?.user} data-cause=${shift?.cause} data-from=${one.from} data-until=${one.until}
    onPointerEnter=${tell} onPointerLeave=${hideTip} onFocus=${(event) => event.currentTarget.matches(":focus-visible") && tell(event)} onBlur=${hideTip} onClick=${() => choose?.({ rotation, shift, gap, from: start, until: end })} disabled=${!choose}>
    ${what && !gap?.off_hours && html`<svg class="cause" viewBox="0 0 12 12" width="11" height="11" aria-hidden="true">${shape(shift?.cause)}</svg>`}<span class="clip">${shift ? who : gap.off_hours ? "off" : "gap"}</span></button></div>`;
}

// A triangle where nobody is, one arrow for who stands in, two for what was traded.
function shape(cause) {
  if (cause === "override") return html`<path d="M1.5 8.5V6a2.5 2.5 0 0 1 2.5-2.5h6M7.5 1l2.7 2.5L7.5 6" />`;
  if (cause === "swap") return html`<path d="M1 4h9M7.5 1.5L10.5 4M11 8H2M4.5 10.5L1.5 8" />`;
  return html`<path d="M6 1.5l5 9H1zM6 5v2.4M6 9v.2" />`;
}

/** Local midnights from `from` on, before `until`. */
export function daysOf(from, until) {
  const day = new Date(from);
  day.setHours(0, 0, 0, 0);
  const days = [];
  for (; day < until; day.setDate(day.getDate() + 1)) days.push(+day);
  return days;
}

function nextDay(ms) {
  const day = new Date(ms);
  day.setDate(day.getDate() + 1);
  return +day;
}

const isToday = (day, today) => today >= day && today - day < DAY && new Date(day).toDateString() === new Date(today).toDateString();
const dayName = (ms, many) => (many > 7 ? "" : `${weekday(ms)} `) + new Date(ms).getDate();
