// Numbers and times as people read them. Pure.

const MINUTE = 60, HOUR = 3600, DAY = 86400;

/** "12 s", "3 m", "2 h 5 m", "4 d 3 h" for a span of milliseconds. */
export function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < MINUTE) return `${s} s`;
  if (s < HOUR) return `${Math.floor(s / MINUTE)} m`;
  if (s < DAY) return pair(Math.floor(s / HOUR), "h", Math.floor((s % HOUR) / MINUTE), "m");
  return pair(Math.floor(s / DAY), "d", Math.floor((s % DAY) / HOUR), "h");
}

function pair(big, bigUnit, small, smallUnit) {
  return small ? `${big} ${bigUnit} ${small} ${smallUnit}` : `${big} ${bigUnit}`;
}

/** A share of 1 as per cent. Never rounds an imperfect figure up to 100 %. */
export function percent(share) {
  if (share == null) return "–";
  const value = share * 100;
  if (value >= 100) return "100 %";
  if (value >= 99.99) return "99.99 %";
  const digits = value >= 99 ? 2 : 1;
  const scale = 10 ** digits;
  return `${(Math.floor(value * scale + 1e-9) / scale).toFixed(digits)} %`;
}

/** A response time in milliseconds. */
export function millis(ms) {
  if (ms == null) return "–";
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
}

/** A count with thin separators. */
export function count(n) {
  return n == null ? "–" : String(n).replace(/\B(?=(\d{3})+$)/g, " ");
}

const pad = (n) => String(n).padStart(2, "0");

/** "14:05" or, with seconds, "14:05:09", local time. */
export function clock(ms, seconds = false) {
  const d = new Date(ms);
  const hm = `${pad(d.getHours())}:${pad(d.getMinutes())}`;
  return seconds ? `${hm}:${pad(d.getSeconds())}` : hm;
}

// Names of days and months. Not asked of the browser, which takes longer for each than for all else on a line.
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/** "Sun", local time. */
export const weekday = (ms) => DAYS[new Date(ms).getDay()].slice(0, 3);

/** "November" of 11. */
export const monthName = (month) => MONTHS[month - 1];

/** "November 2026", local time. */
export const monthOfYear = (ms) => `${MONTHS[new Date(ms).getMonth()]} ${new Date(ms).getFullYear()}`;

/** "22 Nov", local time. */
export function day(ms) {
  const d = new Date(ms);
  return `${d.getDate()} ${MONTHS[d.getMonth()].slice(0, 3)}`;
}

/** "Sunday 22 November 2026", local time. */
export function longDay(ms) {
  const d = new Date(ms);
  return `${DAYS[d.getDay()]} ${d.getDate()} ${MONTHS[d.getMonth()]} ${d.getFullYear()}`;
}

/** "22 Nov 14:05:09", local time. */
export function moment(ms) {
  return `${day(ms)} ${clock(ms, true)}`;
}

/** "2026-11-22 14:05:09 UTC", what stands behind every local time. */
export function utc(ms) {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** "Sun 22 Nov 14:05", local time: something planned. */
export function planned(ms) {
  return `${weekday(ms)} ${day(ms)} ${clock(ms)}`;
}

/** RFC 3339 to milliseconds; null stays null. */
export const at = (text) => (text ? Date.parse(text) : null);

/** "09:00" of "09:00:00", a time of day as it is set. */
export const hours = (text) => (text ?? "").replace(/^(\d\d:\d\d):00$/, "$1");

/** "2026-01-05 09:00" of "2026-01-05T09:00:00": a moment on the wall clock of its own zone, as somebody set it. */
export const written = (text) => (text ?? "").replace("T", " ").replace(/(:\d\d):00$/, "$1");

/** The viewer's time zone, "Europe/Madrid". */
export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** From and to of a slot; names the day where the slot is not today. */
export function range(from, to, now) {
  const today = new Date(now).toDateString() === new Date(from).toDateString();
  const whole = to - from >= DAY * 1000;
  if (whole) return `${day(from)} – ${day(to)}`;
  return `${today ? "" : day(from) + " "}${clock(from)} – ${clock(to)}`;
}

const WORDS = {
  up: "up", down: "down", paused: "paused", starting: "starting", unmonitored: "not monitored", degraded: "degraded",
  passing: "passing", warning: "warning", critical: "critical", maintenance: "maintenance", draining: "draining",
  CRITICAL: "critical", WARNING: "warning", INFO: "info",
};

/** The word shown for a state. */
export function word(state) {
  return WORDS[state] ?? String(state);
}
