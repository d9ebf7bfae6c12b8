// The uptime bar: one slot per stretch of time. Height and colour both tell: an outage is the full height,
// paused is half, nothing known is a dot on the line.
import { useState } from "preact/hooks";
import { html } from "../dom.js";
import { percent, range, word } from "../format.js";
import { now } from "../live.js";
import { hideTip, showTip } from "./tip.js";

const STATES = { u: "up", d: "down", p: "paused", s: "starting", "-": "unmonitored" };
const IMPLIED = { u: 1, d: 0 }; // where the bar carries no number
const STEP = 6, WIDTH = 4.5, HEIGHT = 24;
/** Where a slot begins from the top, and how high it is. */
const EXTENT = { down: [0, 24], up: [4, 20], starting: [12, 12], paused: [12, 12], unmonitored: [20, 4] };

/** Slots of a row's bar as { state, availability }. */
export function slots(bar) {
  return [...bar.states].map((letter, at) => ({ state: STATES[letter] ?? "unmonitored", availability: bar.partial[at] ?? IMPLIED[letter] ?? null }));
}

/**
 * `bar` over `window` ({ from, to }), or `periods` ([{ state, availability, label }]) of the calendar; with `keys` the arrow keys walk
 * through it, and a click gives what is there to `pick`.
 */
export function Bar({ bar, window: span, periods, name, keys = false, pick }) {
  const [chosen, choose] = useState(-1);
  const all = periods ?? slots(bar);
  const edges = (at) => {
    const length = (span.to - span.from) / all.length;
    return [span.from + at * length, span.from + (at + 1) * length];
  };
  const tell = (svg, at) => {
    const box = svg.getBoundingClientRect();
    choose(at);
    showTip(box.left + ((at + 0.5) / all.length) * box.width, box.top, lines(all[at], all[at].label ?? between(edges(at))));
  };
  const leave = () => { choose(-1); hideTip(); };
  const under = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    return clamp(Math.floor(((event.clientX - box.left) / box.width) * all.length), all.length);
  };
  const move = (event) => tell(event.currentTarget, under(event));
  const picked = (event) => { leave(); pick(all[under(event)]); };
  const key = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -all.length, End: all.length }[event.key];
    if (event.key === "Escape") leave();
    if (!step) return;
    event.preventDefault();
    tell(event.currentTarget, clamp((chosen < 0 ? (step < 0 ? all.length : -1) : chosen) + step, all.length));
  };
  return html`<svg class=${`bar${keys ? " bar-tall" : ""}${pick ? " bar-picked" : ""}`} viewBox=${`0 0 ${all.length * STEP} ${HEIGHT}`} preserveAspectRatio="none" role="img"
    aria-label=${summary(all, name)} data-testid="uptime-bar" tabindex=${keys ? 0 : undefined}
    onPointerMove=${move} onPointerDown=${move} onPointerLeave=${leave} onClick=${pick ? picked : undefined} onKeyDown=${keys ? key : undefined} onBlur=${keys ? leave : undefined}>
    ${Object.entries(shapes(all, periods ? 4 : 9)).map(([kind, path]) => html`<path key=${kind} class=${`slot-${kind}`} d=${path} />`)}
    ${chosen >= 0 && html`<rect class="slot-chosen" x=${chosen * STEP} y="0" width=${STEP} height=${HEIGHT} />`}
  </svg>`;
}

// One path for each kind of slot: a table of thousands of services stays a page of few elements.
function shapes(all, least) {
  const found = {};
  const add = (kind, at, y, height) => { found[kind] = `${found[kind] ?? ""}M${at * STEP + (STEP - WIDTH) / 2} ${y}h${WIDTH}v${height}h${-WIDTH}z`; };
  for (const [at, slot] of all.entries()) {
    const lost = loss(slot);
    const base = slot.state === "down" && lost < 1 ? "up" : slot.state;
    add(base, at, ...EXTENT[slot.state]);
    // What was lost comes last, so that it lies on top.
    if (lost > 0 && lost < 1) add("lost", at, 0, Math.max(least, HEIGHT * lost));
  }
  const { lost, ...rest } = found;
  return lost ? { ...rest, lost } : rest;
}

// A slot's state is the worst within it, so a short outage makes it "down" with most of it available.
function loss({ state, availability }) {
  if (state === "down") return availability == null ? 1 : Math.max(0.01, 1 - availability);
  return availability == null ? 0 : 1 - availability;
}
const clamp = (at, length) => Math.max(0, Math.min(length - 1, at));

const between = ([from, to]) => range(from, Math.min(to, Math.max(now.peek(), from)), now.peek());

function lines(slot, when) {
  const known = slot.availability != null;
  const tone = slot.state === "down" || (known && slot.availability < 1) ? "tone-bad" : "";
  return [
    { text: when, tone: "faint" },
    { text: known ? `${percent(slot.availability)} available${slot.state === "down" ? ", down" : ""}` : word(slot.state), tone },
  ];
}

function summary(all, name) {
  const hurt = all.filter((slot) => slot.state === "down" || (slot.availability != null && slot.availability < 1)).length;
  const known = all.filter((slot) => slot.availability != null).length;
  const what = known === 0 ? "nothing measured yet" : hurt === 0 ? "no outage" : `outages in ${hurt} of ${known} measured slots`;
  return `Uptime of ${name}: ${what}`;
}
