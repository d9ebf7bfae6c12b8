// Keys that mean something wherever one is: which are meant for the page, and walking through a list.

/** Is this key press meant for the page, not for a field, a dialog or the browser? */
export function plain(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return false;
  return !event.target.matches?.("input:not([type=checkbox]), textarea, select, [contenteditable]") && !document.querySelector("dialog[open]");
}

/** j and k walk through what the page marks with `data-walk`; Enter then does what a link does. */
export function walk(event) {
  const step = { j: 1, k: -1 }[event.key];
  if (!step || !plain(event)) return;
  const all = [...document.querySelectorAll("main [data-walk]")];
  const here = document.activeElement.closest?.("[data-walk]") ?? document.activeElement.closest?.("tr, li")?.querySelector("[data-walk]");
  const at = all.indexOf(here);
  const next = at < 0 ? start(all, step) : all[at + step];
  next?.focus({ preventScroll: true });
  next?.closest("tr, li")?.scrollIntoView({ block: "nearest" });
}

// Where nothing has the focus yet, begin with what is in view.
function start(all, step) {
  const seen = all.filter((one) => { const { top, bottom } = one.getBoundingClientRect(); return top >= 0 && bottom <= window.innerHeight; });
  return step > 0 ? seen[0] ?? all[0] : seen.at(-1) ?? all.at(-1);
}

const PLACES = { o: "/ui/", s: "/ui/services", i: "/ui/incidents", c: "/ui/oncall", e: "/ui/events", n: "/ui/nodes" };
let led = -Infinity;

/** "g" and a letter within a second and a half: the page to go to, or null. */
export function leadsTo(event) {
  if (!plain(event)) return null;
  const following = event.timeStamp - led < 1500;
  led = event.key === "g" ? event.timeStamp : -Infinity;
  return following ? PLACES[event.key] ?? null : null;
}
