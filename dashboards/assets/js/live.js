// One event stream feeds everything: a snapshot first, then only what changed.
import { signal, computed, batch } from "@preact/signals";

/** "connecting" until the first snapshot, then "live" or "lost". */
export const connection = signal("connecting");
/** Service name -> row. Rows that did not change stay the same objects. */
export const services = signal(new Map());
/** Facts about the whole board: window of the uptime bars, proxy address, version. */
export const board = signal(null);
/** Incidents and pages in numbers, { journal, triggered, acknowledged }; null where nobody is on call. */
export const oncall = signal(null);
/** Grows with every word from the server that a page may want to refetch for. */
export const news = signal({ services: new Set(), catalog: 0, catalogChanged: false, oncallChanged: false });
/** The server's clock, once a second. */
export const now = signal(Date.now());
/** Time of the last word from the server, on our clock. */
export const heard = signal(Date.now());
/** The server has been replaced by another version: this page is old. */
export const outdated = signal(false);

/** How many services are in each state. */
export const counts = computed(() => {
  const found = { all: 0, up: 0, down: 0, paused: 0, starting: 0, unmonitored: 0 };
  for (const row of services.value.values()) {
    found.all += 1;
    found[row.state] = (found[row.state] ?? 0) + 1;
  }
  return found;
});

const SILENCE = 40_000; // two heartbeats and a half
const version = document.baseURI.split("/").at(-2);
let skew = 0;
let source = null;
let retry = null;
let attempts = 0;
let opened = Date.now();
const quiet = () => Date.now() - Math.max(opened, heard.peek());

/** Opens the stream; once, for the life of the page. */
export function start() {
  open();
  setInterval(beat, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { beat(); wake(); } });
  window.addEventListener("online", reopen);
  window.addEventListener("pageshow", (event) => { if (event.persisted) reopen(); });
  window.addEventListener("pagehide", close);
}

function beat() {
  if (!document.hidden) now.value = Date.now() + skew;
  if (source && quiet() > SILENCE) reopen();
}

// After a sleep the stream may be dead without having noticed.
function wake() {
  if (quiet() > SILENCE / 2) reopen();
}

function close() {
  source?.close();
  source = null;
  clearTimeout(retry);
}

function reopen() {
  close();
  if (connection.peek() === "live") connection.value = "lost";
  open();
}

function open() {
  opened = Date.now();
  source = new EventSource("/ui/api/live");
  source.addEventListener("snapshot", (event) => received(event, replace));
  source.addEventListener("update", (event) => received(event, merge));
  source.addEventListener("beat", (event) => received(event, (data) => { setClock(data.now); }));
  source.onerror = () => {
    if (connection.peek() === "live") connection.value = "lost";
    // The browser retries a cut stream by itself, but gives up for good on an error answer.
    if (source?.readyState === EventSource.CLOSED) {
      close();
      attempts += 1;
      retry = setTimeout(open, Math.min(15_000, 500 * 2 ** Math.min(attempts, 5)) * (0.75 + Math.random() / 2));
    }
  };
}

function received(event, apply) {
  const data = JSON.parse(event.data);
  batch(() => {
    apply(data);
    attempts = 0;
    heard.value = Date.now();
    connection.value = "live";
  });
}

function setClock(serverNow) {
  skew = serverNow - Date.now();
  now.value = serverNow;
}

function replace(data) {
  setClock(data.now);
  outdated.value = data.version !== version;
  board.value = { window: data.window, proxy: data.proxy };
  services.value = new Map(data.services.map((row) => [row.name, row]));
  tell(services.value.keys(), data);
}

function merge(data) {
  setClock(data.now);
  board.value = { ...board.value, window: data.window };
  if (data.changed.length || data.gone.length) {
    const next = new Map(services.value);
    for (const row of data.changed) next.set(row.name, row);
    for (const name of data.gone) next.delete(name);
    services.value = next;
  }
  tell([...data.changed.map((row) => row.name), ...data.gone], data);
}

function tell(names, data) {
  const oncallChanged = data.oncall?.journal !== oncall.peek()?.journal;
  oncall.value = data.oncall ?? null;
  news.value = { services: new Set(names), catalog: data.catalog, catalogChanged: data.catalog !== news.peek().catalog, oncallChanged };
}

/** Something was done from here: what shows incidents or pages asks again, whether or not the stream is there to say so. */
export function nudge() {
  news.value = { ...news.peek(), services: new Set(), catalogChanged: false, oncallChanged: true };
}
