// Response times over a window: mean as a line, lowest to 95th percentile as a band. Drawn in pixels of the box it gets.
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../dom.js";
import { clock, count, day, millis, moment } from "../format.js";
import { hideTip, showTip } from "./tip.js";

const LEFT = 54, RIGHT = 10, TOP = 10, BOTTOM = 24, HEIGHT = 200;
const STEPS = [1, 2, 5];
const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const TIMES = [5 * MINUTE, 10 * MINUTE, 15 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 8 * HOUR, 12 * HOUR, DAY, 2 * DAY, 5 * DAY, 7 * DAY];

/** `points`: [{ at, mean_ms, min_ms, max_ms, p95_ms, count }] inside `window`. */
export function Chart({ points, window: span }) {
  const box = useRef(null);
  const width = useWidth(box);
  const [chosen, choose] = useState(-1);
  const top = niceTop(Math.max(1, ...points.map((point) => Math.max(point.p95_ms ?? 0, point.mean_ms))));
  const x = (at) => LEFT + ((Math.max(at, span.from) - span.from) / (span.to - span.from)) * (width - LEFT - RIGHT);
  const y = (ms) => TOP + (1 - Math.min(ms, top) / top) * (HEIGHT - TOP - BOTTOM);
  const move = (event) => {
    const rect = event.currentTarget.getBoundingClientRect();
    const at = nearest(points, x, event.clientX - rect.left);
    choose(at);
    if (at >= 0) showTip(rect.left + x(points[at].at), rect.top + y(points[at].mean_ms), lines(points[at]));
  };
  const leave = () => { choose(-1); hideTip(); };
  return html`<div class="chart" ref=${box} data-testid="response-chart">
    ${width > 0 && html`<svg width=${width} height=${HEIGHT} role="img" aria-label=${summary(points)} onPointerMove=${move} onPointerDown=${move} onPointerLeave=${leave}>
      ${grid(top).map((ms) => html`<g key=${`y${ms}`}><path class="rule" d=${`M${LEFT} ${y(ms)}H${width - RIGHT}`} />
        <text class="axis" x=${LEFT - 8} y=${y(ms) + 4} text-anchor="end">${ms ? millis(ms) : "0"}</text></g>`)}
      ${ticks(span, width).map((at) => html`<text key=${at} class="axis" x=${x(at)} y=${HEIGHT - 6} text-anchor="middle">${label(at, span)}</text>`)}
      ${runs(points, span).map((run, at) => html`<g key=${`r${at}`}><path class="band" d=${band(run, x, y)} /><path class="mean" d=${line(run, x, y)} />
        ${run.length === 1 && html`<circle class="dot" cx=${x(run[0].at)} cy=${y(run[0].mean_ms)} r="2" />`}</g>`)}
      ${chosen >= 0 && points[chosen] && html`<g><path class="cross" d=${`M${x(points[chosen].at)} ${TOP}V${HEIGHT - BOTTOM}`} />
        <circle class="dot" cx=${x(points[chosen].at)} cy=${y(points[chosen].mean_ms)} r="3.5" /></g>`}
    </svg>`}
  </div>`;
}

function useWidth(box) {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return width;
}

/** The smallest 1, 2 or 5 times a power of ten that holds `value`. */
export function niceTop(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * ([...STEPS, 10].find((step) => step * unit >= value) ?? 10);
}

const grid = (top) => [0, top / 4, top / 2, (3 * top) / 4, top];

function ticks(span, width) {
  const room = Math.max(2, Math.floor((width - LEFT) / 72));
  const least = daily(span) ? DAY : 0;
  const step = TIMES.find((time) => time >= least && (span.to - span.from) / time <= room) ?? 7 * DAY;
  const shift = new Date(span.from).getTimezoneOffset() * MINUTE;
  const found = [];
  for (let at = Math.ceil((span.from - shift) / step) * step + shift; at <= span.to; at += step) {
    if (at - span.from > step / 8 && span.to - at > step / 8) found.push(at);
  }
  return found;
}

const daily = (span) => span.to - span.from > 2 * DAY;
const label = (at, span) => (daily(span) ? day(at) : clock(at));

// A stretch without measurements is a gap, not a straight line across it.
function runs(points, span) {
  const usual = median(points.slice(1).map((point, at) => point.at - points[at].at));
  const gap = Math.max(3 * usual, (span.to - span.from) / 200);
  const found = [];
  for (const [at, point] of points.entries()) {
    if (at === 0 || point.at - points[at - 1].at > gap) found.push([]);
    found.at(-1).push(point);
  }
  return found;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : 0;
}

const path = (points) => points.map(([px, py], at) => `${at ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
const line = (run, x, y) => path(run.map((point) => [x(point.at), y(point.mean_ms)]));

function band(run, x, y) {
  const over = run.map((point) => [x(point.at), y(point.p95_ms ?? point.mean_ms)]);
  const under = run.map((point) => [x(point.at), y(point.min_ms ?? point.mean_ms)]).reverse();
  return `${path([...over, ...under])}Z`;
}

function nearest(points, x, px) {
  let best = -1, distance = Infinity;
  for (const [at, point] of points.entries()) {
    const away = Math.abs(x(point.at) - px);
    if (away < distance) [best, distance] = [at, away];
  }
  return best;
}

function lines(point) {
  return [
    { text: moment(point.at), tone: "faint" },
    { text: `mean ${millis(point.mean_ms)}` },
    { text: `p95 ${millis(point.p95_ms)} · lowest ${millis(point.min_ms)} · highest ${millis(point.max_ms)}` },
    { text: point.count === 1 ? "1 test" : `${count(point.count)} tests`, tone: "faint" },
  ];
}

function summary(points) {
  if (!points.length) return "No response times yet";
  const last = points.at(-1);
  return `Response times: ${points.length} points, last mean ${millis(last.mean_ms)}`;
}
