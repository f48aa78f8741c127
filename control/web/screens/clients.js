// SPDX-License-Identifier: Apache-2.0
// Clients: who is connected, how much each asks, and showing one the door; who is
// kept out for what workers died of, and letting one in again.

import { h, icon, text, toast, confirmed, Keyed } from "../dom.js";
import { rpc, every, said } from "../rpc.js";
import { model } from "../model.js";
import { count, rate, duration, clock } from "../formats.js";
import { functions } from "../faultwords.js";

const columns = [
  ["peer", "Client"], ["transport", "Transport"], ["since", "Connected"], ["rate", "Requests/s"],
  ["requests", "Requests"], ["last_fc", "Last function"], ["role", "Role"],
];

// The panel below, which is there only if there is something in it.
function keptOut(changed) {
  const body = h("tbody");
  const heads = ["Host", "Transport", "Is", "For", "Asked last"].map((label) => h("th", { scope: "col" }, label));
  const el = h("section", { class: "panel", id: "kept-out", hidden: true }, h("h2", null, "Asked for what workers died of"),
    h("table", { class: "plain stack" }, h("thead", null, h("tr", null, heads, h("th", { scope: "col" }, h("span", { class: "sr" }, "What to do")))), body));
  const rows = new Keyed(body, (q) => {
    const p = { is: h("td", { "data-label": "is" }), left: h("td", { class: "live", "data-label": "for" }),
      lift: h("button", { class: "quiet", onclick: () => lift(q), "aria-label": `Let ${q.peer} in` }, "Let in") };
    const asked = q.pdu === null ? "–" : `unit ${q.unit}, ${q.fc} ${functions[q.fc] || ""}: ${q.pdu}`;
    const row = h("tr", null, h("th", { scope: "row", class: "mono" }, q.peer), h("td", { "data-label": "on" }, q.transport),
      p.is, p.left, h("td", { class: "mono", "data-label": "asked" }, asked), h("td", null, h("div", { class: "actions" }, p.lift)));
    row.parts = p;
    return row;
  }, (row, q) => {
    text(row.parts.is, !q.kept_out ? "answered 04" :
      q.refused ? "kept out; answered 04" : "kept out");
    text(row.parts.left, duration(q.for_s));
    model.allow(row.parts.lift, "quarantine.lift", `let ${q.peer} in`);
  });

  async function lift(q) {
    if (!await confirmed(`Let ${q.peer} in?`, "What it asks is carried out again. If workers still die of it, they will.", "Let it in")) return;
    try {
      await rpc("quarantine.lift", { peer: q.peer, transport: q.transport });
      toast(`${q.peer} may ask again`, "good");
    } catch (e) {
      toast(said(e), "bad");
    }
    changed();
  }

  return {
    el,
    set(list) {
      el.hidden = list.length === 0;
      rows.set(list, (q) => `${q.transport}/${q.peer}/${q.unit}/${q.pdu}`);
    },
  };
}

export function create({ address }) {
  let all = [], sort = "rate", down = true, only = "";
  const before = new Map();
  const search = h("input", { type: "search", placeholder: "client, transport, role", "aria-label": "Find clients", oninput: () => { remember(); show(); } });
  const transport = h("select", { "aria-label": "Transport", onchange: () => { only = transport.value; remember(); show(); } });
  const kickAll = h("button", { class: "quiet", onclick: () => kickShown() }, icon("close"), "Kick all of it");
  const told = h("span", { class: "muted" });
  const body = h("tbody");
  const heads = columns.map(([id, label]) => h("th", { scope: "col", class: ["rate", "requests", "since"].includes(id) ? "num" : null, "data-col": id },
    h("button", { onclick: () => { if (sort === id) down = !down; else { sort = id; down = ["rate", "requests", "since"].includes(id); } show(); } }, label)));
  const empty = h("div", { class: "empty" }, "Nobody is connected.");
  const table = h("table", { class: "plain stack" }, h("thead", null, h("tr", null, heads, h("th", { scope: "col" }, h("span", { class: "sr" }, "What to do")))), body);
  const out = keptOut(() => look().catch(() => {}));
  const el = h("div", { class: "screen" }, h("h1", { class: "sr" }, "Clients"),
    h("div", { class: "toolbar" }, h("span", { class: "field" }, icon("search"), search), transport, told, h("span", { class: "push" }, kickAll)),
    h("section", { class: "panel" }, table, empty), out.el);

  const rows = new Keyed(body, (c) => {
    const p = { rate: h("td", { class: "num live", "data-label": "requests/s" }), requests: h("td", { class: "num live", "data-label": "requests" }),
      since: h("td", { class: "num live", "data-label": "connected" }), fc: h("td", { class: "live", "data-label": "last" }), role: h("td", { class: "live", "data-label": "role" }),
      kick: h("button", { class: "quiet", onclick: () => kick(c), "aria-label": `Kick ${c.peer}` }, icon("close"), "Kick") };
    const el = h("tr", { "data-id": c.id }, h("th", { scope: "row", class: "mono" }, c.peer || "(no name)"),
      h("td", { "data-label": "on" }, h("a", { href: `#/transports/${encodeURIComponent(c.transport)}` }, c.transport)),
      p.since, p.rate, p.requests, p.fc, p.role, h("td", null, h("div", { class: "actions" }, p.kick)));
    el.parts = p;
    return el;
  }, (el, c) => {
    const p = el.parts;
    text(p.since, duration(Date.now() / 1000 - c.since));
    p.since.title = `since ${clock(c.since)}`;
    text(p.rate, rate(c.rate));
    text(p.requests, count(c.requests));
    text(p.fc, c.last_fc ? `${c.last_fc} ${functions[c.last_fc] || ""}` : "–");
    text(p.role, c.role === null || c.role === undefined ? "–" : c.role === "" ? "none named" : c.role);
    model.allow(p.kick, "connections.close", `close the connection of ${c.peer}`);
  });

  function shown() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return all.filter((c) => (!only || c.transport === only) &&
      words.every((w) => `${c.peer} ${c.transport} ${c.role || ""} ${c.id}`.toLowerCase().includes(w)));
  }

  function show() {
    const names = ["", ...model.transports.map((t) => t.name)];
    if (transport.options.length !== names.length)
      transport.replaceChildren(...names.map((n) => h("option", { value: n }, n || "every transport")));
    transport.value = only;
    const list = shown().sort((a, b) => {
      const [x, y] = [a[sort] ?? "", b[sort] ?? ""];
      const d = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
      return (down ? -d : d) || String(a.id).localeCompare(String(b.id));
    }).slice(0, 500);
    for (const th of heads)
      if (th.dataset.col === sort) th.setAttribute("aria-sort", down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    rows.set(list, (c) => `${c.transport}/${c.id}`);
    text(told, `${count(shown().length)} of ${count(all.length)}${shown().length > 500 ? ", the first 500 are shown" : ""}`);
    empty.hidden = list.length > 0;
    text(empty, all.length ? "Nobody like that is connected." : "Nobody is connected.");
    table.hidden = list.length === 0;
    kickAll.hidden = !only || !list.length;
    kickAll.disabled = !model.may("connections.close");
  }

  async function look() {
    const [list, kept] = await Promise.all([rpc("connections.list"), rpc("quarantine.list")]);
    const now = performance.now();
    for (const c of list) {
      const was = before.get(c.id);
      c.rate = was && c.requests >= was.requests ? (c.requests - was.requests) / ((now - was.now) / 1000) : 0;
    }
    before.clear();
    for (const c of list) before.set(c.id, { requests: c.requests, now });
    all = list;
    out.set(kept);
    show();
  }

  async function kick(c) {
    if (!await confirmed(`Kick ${c.peer}?`, `Its connection to ${c.transport} is closed. It may connect again.`, "Kick it")) return;
    await close({ id: c.id }, `${c.peer} was kicked`);
  }

  async function kickShown() {
    if (!await confirmed(`Kick every client of ${only}?`, "They may connect again.", "Kick them")) return;
    await close({ transport: only }, `All clients of ${only} were kicked`);
  }

  async function close(params, words) {
    try {
      await rpc("connections.close", params, { order: true });
      toast(words, "good");
    } catch (e) {
      toast(said(e, "No answer: whether it was kicked is not known."), "bad");
    }
    look().catch(() => {});
  }

  function remember() {
    address(["clients", ...(only ? [only] : [])], { q: search.value });
  }

  const end = every(1000, look);
  return {
    el,
    route([name], query) {
      only = name || "";
      search.value = query.get("q") || "";
      show();
    },
    search() { search.focus(); search.select(); },
    destroy: end,
  };
}
