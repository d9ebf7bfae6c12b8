// A list that is kept fresh at its top and grows at its end when asked to.
import { useRef, useState } from "preact/hooks";
import { answered, useResource } from "./resource.js";

const PAGE = 100;

/**
 * Rows of `url` under `field`, newest first by their number `id`: { rows, error, status, more, loading }. `more()` fetches
 * what is older; null where there is nothing older.
 */
export function useOlder(url, field, id, concerns) {
  const { data, error, status, stale } = useResource(url, concerns);
  const kept = useRef({});
  const [end, setEnd] = useState({});
  const newest = data?.[field] ?? [];
  if (!stale && kept.current.url !== url) kept.current = { url, known: new Map() };
  const known = kept.current.known ?? new Map();
  const rows = stale ? newestFirst(known, id) : merged(known, newest, id);
  const more = async () => {
    setEnd({ url, loading: true });
    const answer = await answered(`${url}&before=${rows.at(-1)[id]}`);
    const found = answer.data?.[field] ?? [];
    for (const row of found) known.set(row[id], row);
    setEnd({ url, reached: !answer.error && found.length < PAGE, loading: false });
  };
  const here = end.url === url ? end : {};
  const ended = stale || here.reached || (known.size <= newest.length && newest.length < PAGE);
  return { rows: data ? rows : null, error, status, more: ended ? null : more, loading: here.loading };
}

// What the newest page does not name any more, though it reaches back that far, has left the list.
function merged(known, newest, id) {
  const oldest = newest.length ? newest.at(-1)[id] : Infinity;
  for (const key of [...known.keys()]) if (key >= oldest || newest.length < PAGE) known.delete(key);
  for (const row of newest) known.set(row[id], row);
  return newestFirst(known, id);
}

const newestFirst = (known, id) => [...known.values()].sort((a, b) => b[id] - a[id]);
