// What is shown, and in which order? Pure: rows and words in, rows out.

/** What sorts first when problems come first. */
const URGENCY = { down: 0, degraded: 1, starting: 2, up: 3, paused: 4, unmonitored: 5 };

/** The state people are shown: "up" with a failing instance is "degraded". */
export const shownState = (row) => (row.state === "up" && row.degraded ? "degraded" : row.state);

// Longest outage last started first; everything else by name.
const problems = (a, b) => URGENCY[shownState(a)] - URGENCY[shownState(b)] || (a.state === "down" ? b.since - a.since : 0);
const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
const missingLast = (pick) => (a, b) => {
  const [left, right] = [pick(a), pick(b)];
  if (left == null || right == null) return (left == null) - (right == null);
  return left - right;
};

/** Column -> comparison in its natural direction. */
export const ORDERS = {
  state: problems,
  name: byName,
  availability: missingLast((row) => row.availability),
  response: (a, b) => -missingLast((row) => row.response_ms)(a, b) || 0,
  instances: missingLast((row) => (row.total ? row.passing / row.total : null)),
  since: (a, b) => b.since - a.since,
};

/** `rows` ordered by a column; `reverse` turns it round. Unknown columns mean problems first. */
export function sorted(rows, column, reverse) {
  const order = ORDERS[column] ?? problems;
  const sign = reverse ? -1 : 1;
  return [...rows].sort((a, b) => sign * order(a, b) || byName(a, b));
}

/** Words a row must all match: `state:down`, `tag:prod` exactly, anything else anywhere in name, tags or state. */
export function filtered(rows, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return words.length ? rows.filter((row) => words.every((word) => matches(row, word))) : rows;
}

function matches(row, word) {
  const state = shownState(row);
  if (word.startsWith("state:")) return word.slice(6) === state || word.slice(6) === row.state;
  if (word.startsWith("tag:")) return row.tags.some((tag) => tag.toLowerCase() === word.slice(4));
  return row.name.toLowerCase().includes(word) || state.startsWith(word) || row.tags.some((tag) => tag.toLowerCase().includes(word));
}

/** `text` with `word` in it if it was not, and without it if it was; another word of the same `kind:` goes. */
export function toggled(text, word) {
  const kind = word.slice(0, word.indexOf(":") + 1);
  const words = text.split(/\s+/).filter(Boolean);
  const had = words.includes(word);
  const rest = words.filter((other) => (kind === "state:" ? !other.startsWith(kind) : other !== word));
  return (had ? rest : [...rest, word]).join(" ");
}
