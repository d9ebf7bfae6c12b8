// A state as shape, colour and word: never colour alone.
import { html } from "../dom.js";
import { word } from "../format.js";

const SHAPES = {
  good: html => html`<circle cx="8" cy="8" r="7" class="fill" /><path d="M4.7 8.3l2.2 2.2 4.4-4.7" class="ink" />`,
  bad: html => html`<path d="M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5z" class="fill" /><path d="M8 4v4.6M8 11.4v.3" class="ink" />`,
  warn: html => html`<path d="M8 1.2l7 13H1z" class="fill" stroke-linejoin="round" /><path d="M8 6v3.6M8 12v.2" class="ink" />`,
  wait: html => html`<circle cx="8" cy="8" r="6.2" class="line" /><path d="M8 4.6V8l2.4 1.6" class="line" />`,
  pause: html => html`<circle cx="8" cy="8" r="7" class="fill" /><path d="M6.2 5.2v5.6M9.8 5.2v5.6" class="ink" />`,
  leave: html => html`<circle cx="8" cy="8" r="6.2" class="line" /><path d="M5 8h5.6M8.4 5.6L10.8 8l-2.4 2.4" class="line" />`,
  none: html => html`<circle cx="8" cy="8" r="6.2" class="line dashed" />`,
};

const MARKS = {
  up: "good", passing: "good", resolved: "good", delivered: "good", good: "good", "on duty": "good",
  down: "bad", critical: "bad", CRITICAL: "bad", triggered: "bad", open: "bad", failed: "bad",
  degraded: "warn", warning: "warn", WARNING: "warn", acknowledged: "warn", gap: "warn",
  starting: "wait", sending: "wait", planned: "wait", paused: "pause", held: "pause", active: "pause", maintenance: "pause", draining: "leave", unmonitored: "none",
};

/** The mark alone, with its word for those who do not see it. */
export function Mark({ state, label, size = 16 }) {
  const shape = MARKS[state] ?? "none";
  return html`<svg class=${`mark mark-${shape}`} viewBox="0 0 16 16" width=${size} height=${size} role="img"
    aria-label=${label ?? word(state)}><title>${label ?? word(state)}</title>${SHAPES[shape](html)}</svg>`;
}

/** The word alone, in the mark's colour, where the mark stands close by. */
export function Word({ state }) {
  return html`<span class=${`state tone-${MARKS[state] ?? "none"}`}>${word(state)}</span>`;
}

/** Mark and word. */
export function State({ state }) {
  const shape = MARKS[state] ?? "none";
  return html`<span class=${`state tone-${shape}`}><span aria-hidden="true"><${Mark} state=${state} /></span>${word(state)}</span>`;
}
