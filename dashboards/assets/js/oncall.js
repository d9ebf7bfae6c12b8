// Doing something about incidents and shifts, and in whose name.
import { signal } from "@preact/signals";
import { nudge } from "./live.js";
import { say } from "./parts/toast.js";
import { useResource, oncallNews } from "./resource.js";

export const API = "/wharf/v1";
const KEPT = "wharf-name";

/** Who acts here: a user's key or any name; "" until somebody said. */
export const me = signal(remembered());
/** Set while the page asks who acts: called with the name, or with null. */
export const asking = signal(null);

function remembered() {
  try { return localStorage.getItem(KEPT) ?? ""; } catch { return ""; }
}

/** Remembers who acts. */
export function setMe(name) {
  me.value = name;
  try { localStorage.setItem(KEPT, name); } catch { /* storage is off: it holds until the page is closed */ }
}

/** The name to act in, asked for once; null if nobody wants to say. */
export function whoActs() {
  if (me.peek()) return Promise.resolve(me.peek());
  return new Promise((resolve) => { asking.value = resolve; });
}

/**
 * Sends an action in the name of whoever sits here; gives the answer, or null after saying what went wrong.
 * `told` is what to say on success.
 */
export async function act(method, path, body, told) {
  const by = await whoActs();
  if (!by) return null;
  const inUrl = method === "DELETE";
  const url = `${API}${path}${inUrl ? `?by=${encodeURIComponent(by)}` : ""}`;
  const answer = await sent(method, url, inUrl ? undefined : JSON.stringify({ by, ...body }));
  if (answer.error) say(answer.error, "bad");
  else if (told) say(told);
  nudge();
  return answer.error ? null : answer.data;
}

/** One request that changes something: { data, error }. */
export async function sent(method, url, body) {
  try {
    const response = await fetch(url, { method, body, headers: body === undefined ? {} : { "content-type": "application/json" } });
    const text = await response.text();
    const data = parsed(text);
    return response.ok ? { data: data ?? {}, error: null } : { data: null, error: data?.error ?? (text.trim() || response.statusText) };
  } catch {
    return { data: null, error: "wharf cannot be reached: nothing was done" };
  }
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return null; }
}

/** Users, rotations, policies ... as they are set; { data, error, status }. */
export const useConfig = () => useResource(`${API}/oncall/config`, oncallNews);

/** `{ key: thing }` or `[thing]` as a list of things with their `key`, by key. */
export function entries(things) {
  const list = Array.isArray(things) ? things.map((one) => ({ key: one.key ?? one.id ?? one.name, ...one }))
    : Object.entries(things ?? {}).map(([key, one]) => ({ key, ...one }));
  return list.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** "by phone (ntfy)", by which contact method something is sent; "" where that is not said. */
export function byWhat({ contact, kind }) {
  const way = contact && kind && contact !== kind ? `${contact} (${kind})` : contact ?? kind;
  return way ? `by ${way}` : "";
}

/** Where one incident's page is. */
export const incidentUrl = (id) => `/ui/incidents/${id}`;

/** Where an entity's page is, if it has one: `service:web` does. */
export function entityUrl(entity) {
  return entity.startsWith("service:") ? `/ui/services/${encodeURIComponent(entity.slice(8))}` : null;
}

/** A number from 0 to 5 for a name: always the same. */
export function tint(name) {
  let sum = 7;
  for (const letter of name ?? "") sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return sum % 6;
}
