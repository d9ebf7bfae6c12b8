// What needs somebody, and is the rest well?
import { html } from "../dom.js";
import { at, count, span } from "../format.js";
import { board, connection, counts, now, services } from "../live.js";
import { serviceUrl } from "../router.js";
import { shownState, sorted } from "../table.js";
import { useResource, oncallNews } from "../resource.js";
import { API } from "../oncall.js";
import { For, Planned, Until } from "../parts/ago.js";
import { Deliveries } from "../parts/deliveries.js";
import { Figures } from "../parts/figures.js";
import { FirstService } from "../parts/first.js";
import { IncidentTable } from "../parts/incidents.js";
import { Mark, State } from "../parts/state.js";
import { Text } from "../parts/text.js";

const DAY = 86_400_000, SHOWN = 60;

export function Overview() {
  const incidents = useResource(`${API}/incidents?state=open&limit=100`, oncallNews);
  const duty = useResource(`${API}/oncall/now`, oncallNews);
  const failed = useResource(`${API}/oncall/deliveries?state=failed&limit=5`, oncallNews);
  const nodes = useResource("/ui/api/nodes", (news) => news.catalogChanged).data?.nodes;
  const waiting = connection.value === "connecting" || !board.value || [incidents, duty, failed].some((one) => !one.data && !one.error);
  if (waiting) return html`<div class="toolbar"><h1>Overview</h1></div><div class="panel skeleton tall" aria-busy="true" />`;
  if (counts.value.all === 0 && !duty.data?.rotations.length) return html`<h1 class="sr">Overview</h1><${FirstService} />`;
  const rows = sorted([...services.value.values()], "state", false);
  const bad = rows.filter((row) => ["down", "degraded"].includes(shownState(row)));
  const open = incidents.data?.incidents ?? [];
  const gaps = (duty.data?.rotations ?? []).filter((one) => !one.on_duty && one.in_hours);
  const lost = (failed.data?.deliveries ?? []).filter((one) => now.value - at(one.at) < DAY);
  const well = !bad.length && !open.length && !gaps.length && !lost.length;
  return html`<div class="toolbar"><h1>Overview</h1></div>
    ${well && html`<section class="panel well" data-testid="all-well"><${Mark} state="good" label="well" size=${28} /><div><b>All is well</b><p class="faint">${count(counts.value.up)} services up, nothing open.</p></div></section>`}
    ${open.length > 0 && html`<section class="panel" aria-labelledby="open" data-testid="problem-incidents"><h2 id="open"><a href="/ui/incidents">Open incidents</a> <span class="faint num">${open.length}</span></h2><${IncidentTable} incidents=${open.slice(0, 20)} /></section>`}
    ${bad.length > 0 && html`<section class="panel" aria-labelledby="bad" data-testid="problem-services"><h2 id="bad"><a href="/ui/services">Services in trouble</a> <span class="faint num">${bad.length}</span></h2><ul class="rows">${bad.slice(0, 20).map((row) => html`<${Bad} key=${row.name} row=${row} />`)}</ul></section>`}
    ${gaps.length > 0 && html`<section class="panel" aria-labelledby="gaps" data-testid="problem-gaps"><h2 id="gaps"><a href="/ui/oncall">Nobody is on duty</a> <span class="faint num">${gaps.length}</span></h2><ul class="rows">${gaps.map((one) => html`<li key=${one.rotation}><${Mark} state="gap" /><a class="name grow" data-walk href=${`/ui/oncall/calendar?rotation=${encodeURIComponent(one.rotation)}`}>${one.rotation}</a>
      <span class="faint">${one.next ? html`${one.next.name || one.next.user} begins <${Until} at=${at(one.next.from)} />` : "nobody is to come"}</span></li>`)}</ul></section>`}
    ${lost.length > 0 && html`<section class="panel" aria-labelledby="lost" data-testid="problem-deliveries"><h2 id="lost"><a href="/ui/oncall/deliveries?state=failed">Messages that did not arrive</a> <span class="faint">last 24 hours</span></h2><${Deliveries} deliveries=${lost} /></section>`}
    <${Figures} items=${figures(nodes, open, duty.data?.rotations, incidents.error)} />
    ${duty.data?.rotations.length > gaps.length && html`<${OnDuty} rotations=${duty.data.rotations.filter((one) => one.on_duty)} />`}
    <${Fine} id="fine" title="Up" state="up" rows=${rows.filter((row) => shownState(row) === "up")} />
    <${Fine} id="paused" title="Paused" state="paused" rows=${rows.filter((row) => shownState(row) === "paused")} />`;
}

function Bad({ row }) {
  const state = shownState(row);
  return html`<li data-testid="problem-service" data-service=${row.name} data-state=${row.state}><${State} state=${state} /><a class="name" data-walk href=${serviceUrl(row.name)}>${row.name}</a><span class="soft clip grow" title=${row.reason}><${Text} text=${row.reason} /></span><span class="faint"><${For} at=${row.since} /></span></li>`;
}

function figures(nodes, open, rotations, off) {
  const { all, up, down } = counts.value;
  const rows = [...services.value.values()];
  const sum = (pick) => rows.reduce((total, row) => total + pick(row), 0);
  const [passing, total] = [sum((row) => row.passing), sum((row) => row.total)];
  const items = [
    { id: "services", label: "Services up", value: html`<a href="/ui/services">${count(up)}<span class="faint">/${count(all)}</span></a>`, note: down ? `${count(down)} down` : "none down", tone: down ? "tone-bad" : "" },
    { id: "instances", label: "Instances", value: html`${count(passing)}<span class="faint">/${count(total)}</span>`, note: "pass" },
    { id: "nodes", label: "Nodes", value: nodes ? html`<a href="/ui/nodes">${count(nodes.filter((node) => node.health === "passing").length)}<span class="faint">/${count(nodes.length)}</span></a>` : "–", note: "pass" },
  ];
  if (off) return items;
  const taken = open.filter((one) => one.state === "acknowledged").length;
  return [...items,
    { id: "open", label: "Open incidents", value: html`<a href="/ui/incidents">${count(open.length)}</a>`, note: open.length ? `${count(taken)} acknowledged` : "none", tone: open.length > taken ? "tone-bad" : "" },
    { id: "duty", label: "Rotations covered", value: html`<a href="/ui/oncall">${rotations?.filter((one) => one.on_duty).length ?? 0}<span class="faint">/${rotations?.length ?? 0}</span></a>`, note: "now" },
    { id: "latest", label: "Longest open", value: open.length ? span(now.value - Math.min(...open.map((one) => at(one.opened)))) : "–", note: "" },
  ];
}

function OnDuty({ rotations }) {
  return html`<section class="panel" aria-labelledby="duty"><h2 id="duty"><a href="/ui/oncall">On duty</a></h2><ul class="rows">${rotations.map((one) => html`<li key=${one.rotation} data-testid="on-duty" data-rotation=${one.rotation}>
    <${Mark} state="on duty" /><span class="grow break"><b>${one.on_duty.name || one.on_duty.user}</b> <span class="faint">${one.rotation}</span></span><span class="faint">until <${Planned} at=${at(one.on_duty.until)} /></span></li>`)}</ul></section>`;
}

function Fine({ id, title, state, rows }) {
  if (!rows.length) return null;
  const all = `/ui/services?q=state%3A${state}`;
  return html`<section class="panel" aria-labelledby=${id}><h2 id=${id}><a href=${all}>${title}</a> <span class="faint num">${count(rows.length)}</span></h2><ul class="berths">${rows.slice(0, SHOWN).map((row) => html`<li key=${row.name}>
    <a class="berth" href=${serviceUrl(row.name)} title=${row.reason}><${Mark} state=${state} /><span class="clip">${row.name}</span><span class="faint num">${row.passing}/${row.total}</span></a></li>`)}</ul>${rows.length > SHOWN && html`<p class="more"><a class="button" href=${all}>All ${count(rows.length)}</a></p>`}</section>`;
}
