// SPDX-License-Identifier: Apache-2.0
// Transports: how each is, what it has counted, and starting, stopping and
// restarting it. A row opens into every counter that the daemon keeps.

import { h, icon, setIcon, text, toast, confirmed, Keyed } from "../dom.js";
import { rpc, every, said } from "../rpc.js";
import { model, stateWords, stateIcon, stateClass } from "../model.js";
import { count, rate, duration, bytes, span, within, plural } from "../formats.js";
import { functions, exceptions } from "../faultwords.js";

const groups = [
  ["Wire", ["bytes_in", "bytes_out", "batches", "frames_bad", "unknown_units", "broadcasts", "backpressured", "replies_lost", "repeats"]],
  ["Requests", ["refused", "busy", "fatal", "poisoned"]],
  ["Connections", ["conns_open", "conns_opened", "conns_denied", "conns_evicted", "conns_refused", "conns_idle", "conns_slow", "conns_bad", "conns_kicked", "conns_quarantined"]],
  ["TLS", ["handshakes", "handshakes_resumed", "handshakes_failed"]],
  ["Shared memory view", ["view_in", "view_out", "view_refused", "semaphore_misses"]],
];
const RECENT_S = 10; // requests so young are somebody's
const wrong = /bad|fatal|poison|quarantin|refused|failed|lost|denied|slow|evicted|misses|unknown/;

export function create({ address }) {
  const open = new Set();
  let stats = {};
  const body = h("tbody");
  const el = h("div", { class: "screen" }, h("h1", { class: "sr" }, "Transports"),
    h("section", { class: "panel" }, h("table", { class: "plain stack" }, h("thead", null, h("tr", null,
      ["Name", "State", "Address", "Clients", "Requests/s", "Requests", "Exceptions", "Errors", "Deaths", "Up for", ""].map((t, i) =>
        h("th", { scope: "col", class: i > 2 && i < 10 ? "num" : null }, t || h("span", { class: "sr" }, "What to do"))))), body)));

  const rows = new Keyed(body, make, update);
  const cell = (label) => h("td", { class: "num live", "data-label": label });

  function make(t) {
    if (t.detail) return h("tr", { class: "detail-row" }, h("td", { colspan: 11 }, h("div", { class: "columns" })));
    const more = h("button", { class: "quiet bare", "aria-expanded": "false", onclick: () => toggle(t.name) }, icon("more"), h("b", null, t.name));
    const p = {
      more, icon: icon("dot"), state: h("span", { class: "live" }), address: h("td", { class: "mono" }),
      connections: cell("clients"), rate: cell("requests/s"), requests: cell("requests"), exceptions: cell("exceptions"),
      errors: cell("errors"), restarts: cell("deaths"), up: cell("up for"),
    };
    p.buttons = ["start", "stop", "restart"].map((verb) =>
      h("button", { class: "quiet", "data-verb": verb, onclick: (e) => order(t.name, verb, e.currentTarget) },
        icon(verb === "start" ? "play" : verb), verb[0].toUpperCase() + verb.slice(1)));
    const el = h("tr", null, h("th", { scope: "row" }, more),
      h("td", null, h("span", { class: "state-cell" }, p.icon, p.state)), p.address, p.connections, p.rate,
      p.requests, p.exceptions, p.errors, p.restarts, p.up, h("td", null, h("div", { class: "actions" }, p.buttons)));
    el.parts = p;
    return el;
  }

  function update(el, t) {
    if (t.detail) return detail(el.querySelector(".columns"), t.of);
    const p = el.parts, r = model.rates.get(t.name) || {};
    setIcon(p.icon, stateIcon(t));
    text(p.state, stateWords(t));
    p.state.className = `live ${{ bad: "bad-text", warn: "warn-text" }[stateClass(t)] || ""}`;
    p.more.setAttribute("aria-expanded", open.has(t.name));
    p.more.setAttribute("aria-label", `${t.name}: everything it has counted`);
    text(p.address, `${t.type} ${t.listen || ""}`);
    text(p.connections, count(t.connections));
    text(p.rate, t.state === "up" ? rate(r.requests) : "–");
    for (const k of ["requests", "exceptions", "errors", "restarts"]) text(p[k], count(t[k]));
    text(p.up, t.state === "up" ? duration(t.uptime_s) : "–");
    const can = { start: ["stopped", "failed", "backoff"].includes(t.state), stop: t.state !== "stopped", restart: t.state === "up" };
    for (const b of p.buttons) {
      const may = model.allow(b, `transports.${b.dataset.verb}`, `${b.dataset.verb} ${t.name}`);
      b.hidden = b.dataset.verb === "start" ? !can.start : b.dataset.verb === "stop" ? !can.stop : false;
      b.disabled = !may || !can[b.dataset.verb] || b.dataset.busy === "yes";
      b.setAttribute("aria-label", `${b.dataset.verb} ${t.name}`);
    }
  }

  const pair = (k, v, bad) => h("div", null, h("dt", null, k), h("dd", { class: `live ${bad ? "warn-text" : ""}` }, v));
  const section = (title, pairs) => pairs.length && h("section", null, h("h2", null, title), h("dl", { class: "facts wide" }, pairs));

  function detail(host, t) {
    const s = stats[t.name] || {};
    const limit = (n) => (n ? count(n) : "no limit");
    const named = (map, names) => Object.entries(map || {}).sort((a, b) => b[1] - a[1])
      .map(([k, n]) => pair(`${String(k).padStart(2, "0")} ${names[k] || ""}`, count(n)));
    const took = s.request_duration;
    const served = model.devices.flatMap((d) => (d.units && d.units[t.name] ? [pair(d.name, `unit${/[,-]/.test(d.units[t.name]) ? "s" : ""} ${d.units[t.name]}`)] : []));
    const known = new Set(groups.flatMap(([, keys]) => keys));
    // "up" and "restarts" are in the row above; rules are on Faults
    const rest = Object.keys(s).filter((k) => !known.has(k) && !["up", "restarts", "faults"].includes(k) && typeof s[k] === "number");
    const value = (k) => (k.startsWith("bytes") ? bytes(s[k]) : s[k] === true ? "yes" : s[k] === false ? "no" : count(s[k]));
    host.replaceChildren(...[
      section("Parameters", [pair("type", t.type), pair("framer", t.framer || ""), pair("address", t.listen || ""), t.line && pair("line", t.line), pair("worker", t.pid ? `pid ${t.pid}` : "none"),
        pair("workers", t.workers), pair("last exit", t.last_exit || "none", t.last_exit && t.last_exit !== "exit 0"),
        pair("connections at most", limit(t.max_connections)), pair("of one peer", limit(t.max_connections_per_peer)),
        pair("transactions at most", limit(t.max_transactions))].filter((x) => x && x.lastChild.textContent)),
      section("Serves", served),
      took && took.count > 0 && section("Time to answer", [pair("mean", span(took.sum / took.count)),
        ...[0.5, 0.9, 0.99, 0.999].map((q) => pair(`${q * 100} % within`, within(took, q)))]),
      section("By function", named(s.requests, functions)),
      section("Exceptions", named(s.exceptions, exceptions)),
      ...groups.map(([title, keys]) => section(title, keys.filter((k) => k in s && (!/^(view|handshakes|semaphore)/.test(k) || s[k]))
        .map((k) => pair(k.replace(/^conns_/, "").replaceAll("_", " "), value(k), wrong.test(k) && s[k] > 0)))),
      section("More", rest.map((k) => pair(k.replaceAll("_", " "), value(k)))),
    ].filter(Boolean));
  }

  function toggle(name) {
    if (open.has(name)) open.delete(name);
    else open.add(name);
    address(["transports", ...(open.size === 1 ? [...open] : [])]);
    show();
    if (open.size) look();
  }

  // Who would notice, as a sentence; "" if nobody. Datagrams have no clients,
  // and are told by what has come of late.
  function inUse(t) {
    const recent = (model.rates.get(t.name) || { history: [] }).history.slice(-RECENT_S);
    const n = recent.reduce((a, b) => a + b, 0) / (recent.length || 1);
    return [t.connections > 0 && `${plural(t.connections, "client")} ${t.connections > 1 ? "are" : "is"} connected.`,
      n > 0 && `It has answered ${n < 1 ? "requests" : `about ${rate(n)} requests a second`} in the last ${RECENT_S} seconds.`].filter(Boolean).join(" ");
  }

  async function order(name, verb, button = null) {
    const t = model.transports.find((x) => x.name === name);
    const used = verb !== "start" && t ? inUse(t) : "";
    if (used && !await confirmed(`${verb === "stop" ? "Stop" : "Restart"} ${name}?`,
      verb === "stop" ? `${used} Clients are disconnected, after what they have asked is answered; nobody is served there until it is started again.`
        : `${used} Plain TCP connections stay open over a restart; TLS ones end and come back.`,
      verb === "stop" ? "Stop it" : "Restart it"))
      return;
    if (button) {
      button.dataset.busy = "yes";
      button.disabled = true;
    }
    try {
      const { state } = await rpc(`transports.${verb}`, { name }, { order: true });
      toast(`${name} is ${stateWords({ state })}`, "good",
        verb === "stop" && state === "stopped" ? { label: "Start again", run: () => order(name, "start") } : null);
    } catch (e) {
      toast(said(e, `${name}: no answer`), "bad");
    } finally {
      if (button) button.dataset.busy = "";
      model.refresh().catch(() => {});
    }
  }

  async function look() {
    if (!open.size) return;
    stats = (await rpc("stats.get")).transports;
    show();
  }

  function show() {
    const items = model.transports.flatMap((t) => (open.has(t.name) ? [t, { detail: true, name: `${t.name}/detail`, of: t }] : [t]));
    rows.set(items, (t) => t.name);
  }

  const off = model.on("status", show);
  const end = every(1000, look);
  show();
  return {
    el,
    route([name]) {
      if (name) { open.add(name); show(); look(); }
    },
    destroy() { off(); end(); },
  };
}
