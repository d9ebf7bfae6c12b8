// The frame around every page: where am I, how many are down, is what I see still true?
import { render } from "preact";
import { computed, effect, signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { html } from "./dom.js";
import { span } from "./format.js";
import { connection, counts, heard, now, oncall, outdated, services, start } from "./live.js";
import { leadsTo, plain, walk } from "./keys.js";
import { go, place, route } from "./router.js";
import { AskMe } from "./parts/me.js";
import { Tip } from "./parts/tip.js";
import { Toast } from "./parts/toast.js";

// Each page comes when it is first wanted, or about to be.
const PAGES = {
  overview: { title: "Overview", load: () => import("./pages/overview.js"), show: (at, { Overview }) => html`<${Overview} />` },
  services: { title: "Services", load: () => import("./pages/services.js"), show: (at, { Services }) => html`<${Services} />` },
  service: { under: "services", load: () => import("./pages/service.js"), show: (at, { Service }) => html`<${Service} key=${at.name} name=${at.name} />` },
  instance: { under: "services", load: () => import("./pages/instance.js"), show: (at, { Instance }) => html`<${Instance} key=${`${at.service}/${at.name}`} service=${at.service} id=${at.name} />` },
  incidents: { title: "Incidents", load: () => import("./pages/incidents.js"), show: (at, { Incidents }) => html`<${Incidents} />` },
  incident: { under: "incidents", load: () => import("./pages/incident.js"), show: (at, { Incident }) => html`<${Incident} key=${at.name} id=${at.name} />` },
  outages: { title: "Outages", under: "incidents", load: () => import("./pages/outages.js"), show: (at, { Outages }) => html`<${Outages} />` },
  oncall: { title: "On call", load: () => import("./pages/oncall.js"), show: (at, { Oncall }) => html`<${Oncall} />` },
  calendar: { title: "On-call calendar", under: "oncall", load: () => import("./pages/calendar.js"), show: (at, { Calendar }) => html`<${Calendar} />` },
  who: { title: "Who is paged", under: "oncall", load: () => import("./pages/who.js"), show: (at, { Who }) => html`<${Who} />` },
  silences: { title: "Silences", under: "oncall", load: () => import("./pages/silences.js"), show: (at, { Silences }) => html`<${Silences} />` },
  deliveries: { title: "Deliveries", under: "oncall", load: () => import("./pages/deliveries.js"), show: (at, { Deliveries }) => html`<${Deliveries} />` },
  setup: { title: "On-call setup", under: "oncall", load: () => import("./pages/setup.js"), show: (at, { Setup }) => html`<${Setup} />` },
  events: { title: "Events", load: () => import("./pages/events.js"), show: (at, { Events }) => html`<${Events} />` },
  nodes: { title: "Nodes", load: () => import("./pages/nodes.js"), show: (at, { Nodes }) => html`<${Nodes} />` },
};
const LINKS = [["overview", "/ui/", "Overview"], ["services", "/ui/services", "Services"], ["incidents", "/ui/incidents", "Incidents"], ["oncall", "/ui/oncall", "On call"], ["events", "/ui/events", "Events"], ["nodes", "/ui/nodes", "Nodes"]];

/** Page -> its module, once loaded. */
const loaded = signal({});
/** What lies over the page: "palette", "help" or null. */
const over = signal(null);
const palette = signal(null);

async function load(page) {
  if (loaded.peek()[page]) return;
  // A file that does not come is one of another version, or wharf is away.
  const module = await PAGES[page].load().catch(() => (window.loadAgain() ? null : "failed"));
  if (!module) return;
  loaded.value = { ...loaded.peek(), [page]: module };
}

function App() {
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to content</a>
    <${Header} /><main id="main" tabindex="-1"><${Page} /></main><${Lost} /><${Outdated} /><${Announcer} /><${Toast} /><${AskMe} /><${Over} /><${Tip} />`;
}

function Over() {
  const done = () => { over.value = null; };
  if (over.value === "palette" && palette.value) return html`<${palette.value.Palette} done=${done} help=${() => show("help")} />`;
  if (over.value === "help" && palette.value) return html`<${palette.value.Help} done=${done} />`;
  return null;
}

async function show(what) {
  palette.value ??= { ...(await import("./palette.js")), ...(await import("./parts/help.js")) };
  over.value = what;
}

// The base element would send "#main" elsewhere.
function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function Page() {
  const at = route.value;
  useEffect(inSight, [place.value, loaded.value[at.page]]);
  const page = PAGES[at.page];
  if (!page) return html`<section class="panel nothing"><h1>No such page</h1><p class="faint">The address may be mistyped.</p><a class="button" href="/ui/">Overview</a></section>`;
  const module = loaded.value[at.page];
  if (module === "failed") return html`<section class="panel nothing" data-testid="problem"><h1>This page did not load</h1><p class="faint">wharf may be away, or be another than when this was opened.</p><button type="button" class="button" onClick=${() => window.location.reload()}>Reload</button></section>`;
  return module ? page.show(at, module) : html`<div class="toolbar"><h1>${page.title ?? at.name}</h1></div><div class="panel skeleton tall" aria-busy="true" />`;
}

// Where links do not all fit, the one for where we are is the one to see.
function inSight() {
  for (const nav of document.querySelectorAll(".pages, .segments")) {
    const here = nav.querySelector("[aria-current]");
    if (here) nav.scrollLeft = here.offsetLeft - (nav.clientWidth - here.offsetWidth) / 2;
  }
}

function Header() {
  const at = PAGES[route.value.page]?.under ?? route.value.page;
  return html`<header class="head"><a class="brand" href="/ui/"><svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true"><path d="M4 13h24M9 13v13M23 13v13M16 13v13M12 7h8" /></svg>wharf</a>
    <nav class="pages" aria-label="Pages">${LINKS.map(([id, url, label]) => html`<a key=${id} href=${url} onPointerEnter=${() => load(id)} aria-current=${at === id ? "page" : undefined}>${label}</a>`)}</nav>
    <${Live} /><${Counters} /><button type="button" class="icon" data-testid="search" onClick=${() => show("palette")} aria-label="Go to or do (Ctrl K)" title="Go to or do (Ctrl K)"><svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true"><circle cx="8.7" cy="8.7" r="5.4" /><path d="M12.8 12.8l4.4 4.4" /></svg></button><${Theme} /></header>`;
}

function Counters() {
  const { down } = counts.value;
  const { triggered = 0, acknowledged = 0 } = oncall.value ?? {};
  return html`<div class="counters"><a href="/ui/services?q=state%3Adown" data-testid="count-down" data-count=${down} class=${down ? "alarm" : "faint"}><b class="num">${down}</b> down</a>
    <a href="/ui/incidents?state=open" hidden=${!oncall.value} data-testid="count-open" data-count=${triggered + acknowledged} class=${triggered ? "alarm" : acknowledged ? "taken" : "faint"} title=${`${triggered} triggered, ${acknowledged} acknowledged`}><b class="num">${triggered + acknowledged}</b> open</a></div>`;
}

function Live() {
  const words = { connecting: "connecting", live: "live", lost: "offline" };
  return html`<span class=${`live live-${connection.value}`} data-testid="connection" data-state=${connection.value} role="status" title=${`Connection: ${words[connection.value]}`}>
    <svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">${connection.value === "live" ? html`<circle cx="5" cy="5" r="4" />` : html`<path d="M1.5 1.5l7 7M8.5 1.5l-7 7" />`}</svg><span class="word">${words[connection.value]}</span></span>`;
}

function Theme() {
  const theme = useSignal(document.documentElement.dataset.theme ?? "");
  const dark = theme.value ? theme.value === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  const toggle = () => {
    const wanted = dark ? "light" : "dark";
    const system = window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    // Back at what the system says: follow it again.
    theme.value = wanted === system ? "" : wanted;
    remember(theme.value);
  };
  return html`<button type="button" class="icon" data-testid="theme" onClick=${toggle} aria-label=${dark ? "Light colours" : "Dark colours"} title=${dark ? "Light colours" : "Dark colours"}>
    <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">${dark ? html`<circle cx="10" cy="10" r="3.6" /><path d="M10 1.8v2M10 16.2v2M1.8 10h2M16.2 10h2M4.2 4.2l1.4 1.4M14.4 14.4l1.4 1.4M15.8 4.2l-1.4 1.4M5.6 14.4l-1.4 1.4" />` : html`<path d="M16.5 12.4A7 7 0 0 1 7.6 3.5a7 7 0 1 0 8.9 8.9z" />`}</svg></button>`;
}

function remember(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  try {
    if (theme) localStorage.setItem("wharf-theme", theme);
    else localStorage.removeItem("wharf-theme");
  } catch { /* storage is off: it holds until the page is closed */ }
}

function Lost() {
  if (connection.value !== "lost") return null;
  void now.value; // once a second
  return html`<div class="toast toast-bad" role="alert" data-testid="connection-lost"><b>Connection lost, retrying.</b> What you see is ${span(Math.max(0, Date.now() - heard.value))} old.</div>`;
}

function Outdated() {
  if (!outdated.value || connection.value === "lost") return null;
  return html`<div class="toast" data-testid="outdated">wharf was updated. <button type="button" class="button" onClick=${() => window.location.reload()}>Reload</button></div>`;
}

// Says aloud what changed, for those who do not watch the table.
function Announcer() {
  const text = useSignal("");
  const before = useRef(new Map());
  useEffect(() => services.subscribe((rows) => {
    const told = [];
    for (const row of rows.values()) {
      const old = before.current.get(row.name);
      if (old && old !== row.state && (old === "down" || row.state === "down")) told.push(`${row.name} is ${row.state}`);
    }
    before.current = new Map([...rows.values()].map((row) => [row.name, row.state]));
    if (told.length) text.value = told.join(", ");
  }), []);
  return html`<div class="sr" aria-live="polite">${text.value}</div>`;
}

// Services down, or incidents open where more of those are: the same trouble is not counted twice.
const trouble = computed(() => Math.max(counts.value.down, (oncall.value?.triggered ?? 0) + (oncall.value?.acknowledged ?? 0)));

effect(() => {
  const { page, name } = route.value;
  const here = PAGES[page]?.title ?? (page === "incident" ? `#${name}` : name ?? "No such page");
  document.title = `${trouble.value ? `(${trouble.value}) ` : ""}${here} · wharf`;
  const icon = document.getElementById("favicon");
  const wanted = counts.value.down || oncall.value?.triggered ? "favicon-down.svg" : "favicon.svg";
  if (icon.getAttribute("href") !== wanted) icon.setAttribute("href", wanted);
});

effect(() => {
  const { page } = route.value;
  if (PAGES[page]) load(page);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
    event.preventDefault();
    if (over.value === "palette") over.value = null;
    else if (!document.querySelector("dialog[open]")) show("palette");
    return;
  }
  if (event.key === "?" && plain(event)) return show("help");
  const place = leadsTo(event);
  if (place) return go(place);
  walk(event);
});

effect(() => {
  // Whoever sees a page and hears from wharf has all that was needed.
  if (connection.value === "live" && loaded.value[route.value.page] && loaded.value[route.value.page] !== "failed") forgetReloads();
});

function forgetReloads() {
  try { sessionStorage.removeItem("wharf-reloads"); } catch { /* storage is off: nothing was counted */ }
}

start();
render(html`<${App} />`, document.getElementById("app"));
