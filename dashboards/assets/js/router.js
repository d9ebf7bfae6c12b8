// Which page does the URL name? The URL carries all of a page's state; nothing here remembers anything else.
import { signal, computed } from "@preact/signals";

const here = () => ({ path: window.location.pathname, search: window.location.search });

/** Path and query of now. */
export const place = signal(here());

/** Query parameters of now. */
export const query = computed(() => new URLSearchParams(place.value.search));

/** The page the path names, with its argument. */
export const route = computed(() => match(place.value.path));

const PAGES = { "": "overview", services: "services", incidents: "incidents", outages: "outages", events: "events", nodes: "nodes", oncall: "oncall" };
const ONCALL = ["calendar", "who", "deliveries", "silences", "setup"];

/** Pure: path -> page. Keep in step with `page_at` in `src/assets/place.rs`. */
export function match(path) {
  const [family, rest, ...more] = path.replace(/^\/ui\/?/, "").split("/");
  if (!rest && !more.length && PAGES[family]) return { page: PAGES[family] };
  const name = more.length ? null : decoded(rest ?? "");
  if (family === "services" && name) return { page: "service", name };
  if (family === "services" && rest && more.length === 1 && more[0]) {
    const [service, id] = [decoded(rest), decoded(more[0])];
    if (service && id) return { page: "instance", service, name: id };
  }
  if (family === "incidents" && /^\d+$/.test(name ?? "")) return { page: "incident", name };
  if (family === "oncall" && ONCALL.includes(name)) return { page: name };
  return { page: "missing" };
}

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return null; }
}

/** Where one service's page is. */
export function serviceUrl(name, window) {
  const at = `/ui/services/${encodeURIComponent(name)}`;
  return window ? `${at}?window=${window}` : at;
}

/** Where one instance's page is. Ids are unique on a node only. */
export const instanceUrl = (service, id, node) => `${serviceUrl(service)}/${encodeURIComponent(id)}?node=${encodeURIComponent(node)}`;

/** Goes to `url` as a link would; to its top, unless it is to `stay` where it is. */
export function go(url, stay = false) {
  window.history.pushState(null, "", url);
  place.value = here();
  if (!stay) window.scrollTo(0, 0);
}

/** Changes query parameters in place; empty ones are left out. Typing makes no history entries. */
export function setQuery(changes) {
  const next = new URLSearchParams(place.peek().search);
  for (const [key, value] of Object.entries(changes)) value ? next.set(key, value) : next.delete(key);
  window.history.replaceState(null, "", withQuery(place.peek().path, next));
  place.value = here();
}

/** This path with these query parameters changed. */
export function urlWith(changes) {
  const next = new URLSearchParams(place.value.search);
  for (const [key, value] of Object.entries(changes)) value ? next.set(key, value) : next.delete(key);
  return withQuery(place.value.path, next);
}

function withQuery(path, params) {
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

window.addEventListener("popstate", () => { place.value = here(); });

// Plain clicks on links to our own pages stay in this document, and those marked `data-stay` where one is in it.
document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest?.("a[href]");
  if (!link || link.target || link.origin !== window.location.origin) return;
  if (!link.pathname.startsWith("/ui/") || link.pathname.startsWith("/ui/api/") || link.pathname.startsWith("/ui/assets/")) return;
  event.preventDefault();
  go(link.pathname + link.search, "stay" in link.dataset);
});
