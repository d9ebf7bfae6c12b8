// One JSON answer that a page shows, kept fresh: fetched again when the live stream says so, never more than once a second.
import { signal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { connection, news } from "./live.js";

const APART = 1000;

/**
 * { data, error, status, stale } of `url`; `concerns(news)` says whether news make a new fetch worth it. While only the query
 * changes, what was shown stays until there is something newer. Without a `url` nothing is asked.
 */
export function useResource(url, concerns) {
  const last = useRef({});
  const path = url?.split("?", 1)[0];
  const state = useMemo(() => {
    const kept = path && last.current.path === path ? last.current.state.peek().data : null;
    return signal({ data: kept, error: null, status: 0, stale: kept !== null });
  }, [url]);
  last.current = { path, state };
  // Not after the next frame, as other effects: what is asked for now is there when that is painted, or soon after.
  useLayoutEffect(() => (url ? follow(url, state, concerns) : undefined), [url]);
  return state.value;
}

/** Changes that concern what incidents and pages are shown from. */
export const oncallNews = (news) => news.oncallChanged;

function follow(url, state, concerns) {
  let stopped = false, running = false, wanted = false, last = 0, timer = null, missed = false;
  let subscribing = true; // subscribing itself calls back once, which is no news
  async function load() {
    running = true;
    wanted = false;
    last = Date.now();
    const answer = await answered(url);
    running = false;
    if (stopped) return;
    // A failed refetch keeps what is shown; the connection mark tells the rest.
    if (answer.data || answer.status || !state.peek().data) state.value = answer;
    if (wanted) want();
  }
  function want() {
    wanted = true;
    if (running || document.hidden) return;
    clearTimeout(timer);
    timer = setTimeout(load, Math.max(0, last + APART - Date.now()));
  }
  // Where something is shown already, wait whether the address changes again: somebody may be typing.
  if (state.peek().stale) timer = setTimeout(load, 120);
  else load();
  const stopNews = news.subscribe((value) => { if (!subscribing && concerns(value)) want(); });
  subscribing = false;
  const stopConnection = connection.subscribe((value) => {
    if (value === "live" && missed) want();
    missed = value === "lost";
  });
  const shown = () => { if (!document.hidden && (wanted || Date.now() - last > 15_000)) want(); };
  document.addEventListener("visibilitychange", shown);
  const slow = setInterval(want, 15_000);
  return () => {
    stopped = true;
    stopNews();
    stopConnection();
    clearTimeout(timer);
    clearInterval(slow);
    document.removeEventListener("visibilitychange", shown);
  };
}

/** One answer: { data, error, status }. */
export async function answered(url) {
  try {
    const response = await fetch(url, { headers: { accept: "application/json" } });
    const body = await response.json();
    return response.ok
      ? { data: body, error: null, status: response.status }
      : { data: null, error: body.error ?? response.statusText, status: response.status };
  } catch {
    return { data: null, error: "wharf cannot be reached", status: 0 };
  }
}
