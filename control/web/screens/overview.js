// SPDX-License-Identifier: Apache-2.0
// Overview: is everything as it should be, and what is going on. Whatever is
// not normal stands first and says so in words.

import { h, svg, icon, setIcon, text, Keyed } from "../dom.js";
import { model, stateWords, stateIcon, stateClass } from "../model.js";
import { count, rate, clock, dateClock } from "../formats.js";

const W = 180, H = 36;

export function sparkline(label) {
  const line = svg("polyline", { class: "spark-line", points: "" });
  const area = svg("polygon", { class: "spark-area", points: "" });
  const el = svg("svg", { class: "spark", viewBox: `0 0 ${W} ${H}`,
    preserveAspectRatio: "none", role: "img", "aria-label": label }, area, line);
  el.update = (values) => {
    const max = Math.max(1, ...values);
    // three minutes wide, but while there is less of it yet
    const step = W / Math.max(45, values.length - 1);
    const x0 = W - (values.length - 1) * step;
    const points = values.map((v, i) =>
      `${(x0 + i * step).toFixed(1)},${(H - 2 - (v / max) * (H - 5)).toFixed(1)}`);
    line.setAttribute("points", points.join(" "));
    area.setAttribute("points", points.length
      ? `${x0.toFixed(1)},${H} ${points.join(" ")} ${W},${H}` : "");
  };
  return el;
}

function card(t) {
  const el = h("a", { class: "card transport", href: `#/transports/${encodeURIComponent(t.name)}` });
  el.parts = {
    icon: icon("dot"), name: h("b", null, t.name), state: h("span", { class: "state live" }),
    type: h("span", { class: "muted" }), rate: h("span", { class: "big live" }),
    spark: sparkline(`requests a second of ${t.name}, the last three minutes`),
    clients: h("dd", { class: "live" }), exceptions: h("dd", { class: "live" }),
    errors: h("dd", { class: "live" }), restarts: h("dd", { class: "live" }),
    note: h("div", { class: "card-note" }),
  };
  const p = el.parts;
  const pair = (k, dd) => h("div", null, h("dt", null, k), dd);
  el.append(
    h("div", { class: "card-head" }, p.icon, p.name, p.state),
    h("div", { class: "card-sub mono" }, p.type),
    h("div", { class: "card-rate" }, h("div", null, p.rate, h("span", { class: "k" }, "requests/s")), p.spark),
    h("dl", { class: "facts" }, pair("clients", p.clients), pair("exceptions/s", p.exceptions),
      pair("errors", p.errors), pair("deaths", p.restarts)),
    p.note);
  return el;
}

function updateCard(el, t) {
  const p = el.parts, r = model.rates.get(t.name) || { history: [] };
  el.dataset.state = stateClass(t);
  setIcon(p.icon, stateIcon(t));
  text(p.state, stateWords(t));
  text(p.type, `${t.type} ${t.listen || ""}`);
  text(p.rate, t.state === "up" ? rate(r.requests) : "–");
  p.spark.update(r.history);
  text(p.clients, count(t.connections));
  text(p.exceptions, rate(r.exceptions));
  text(p.errors, count(t.errors));
  p.errors.classList.toggle("warn-text", r.errors > 0);
  text(p.restarts, count(t.restarts));
  const note = t.last_exit && t.restarts > 0 ? `last worker ended: ${t.last_exit}` : "";
  text(p.note, note);
  p.note.hidden = !note;
}

export function create() {
  const summary = h("p", { class: "summary", role: "status", "aria-live": "off" });
  const cards = h("div", { class: "cards" });
  const devices = h("tbody");
  const events = h("ol", { class: "events", tabindex: 0, "aria-label": "What has happened, the newest first" });
  const aides = h("dl", { class: "facts wide" });
  const total = sparkline("requests a second of all transports, the last three minutes");
  const totalNow = h("span", { class: "huge live" });
  const noEvents = h("p", { class: "muted" }, "Nothing that the log remembers.");
  const el = h("div", { class: "screen overview" },
    h("h1", { class: "sr" }, "Overview"), summary,
    h("section", { class: "panel total", "aria-label": "All transports" },
      h("div", null, totalNow, h("span", { class: "k" }, "requests/s, all transports")), total),
    h("section", { "aria-label": "Transports" }, cards),
    h("div", { class: "columns" },
      h("section", { class: "panel" }, h("h2", null, "Devices"),
        h("table", { class: "plain" }, h("thead", null, h("tr", null,
          ["Device", "Served by", "Coils", "Discrete", "Holding", "Input"].map((t, i) =>
            h("th", { scope: "col", class: i > 1 ? "num" : null }, t)))), devices)),
      h("section", { class: "panel happened" }, h("h2", null, "What has happened"), noEvents, events),
      h("section", { class: "panel" }, h("h2", null, "Processes"), aides)));
  const keyed = new Keyed(cards, card, updateCard);

  function update() {
    if (!model.info) return;
    const bad = model.transports.filter((t) => ["bad", "warn"].includes(stateClass(t)));
    const idle = model.transports.filter((t) => stateClass(t) === "idle");
    const n = model.faults.length || model.info.faults || 0, all = model.transports.length;
    const odd = [...bad, ...idle].map((t) => `${t.name} is ${stateWords(t)}`);
    if (n) odd.push(`${n} fault rule${n > 1 ? "s are" : " is"} active`);
    // stopped is what somebody has ordered: neither an alarm nor all that there is
    summary.replaceChildren(icon(bad.length ? "warn" : n ? "faults" : idle.length ? "stopped" : "up"),
      odd.length ? `${odd.join(", ")}${bad.length || idle.length ? `; ${all - bad.length - idle.length} of ${all} transports are up` : ""}.`
        : all === 1 ? "The transport is up." : `All ${all} transports are up.`);
    summary.className = `summary ${bad.length || n ? "warn-text" : ""}`;
    const rank = { bad: 0, warn: 1, ok: 2, idle: 3 };
    keyed.set([...model.transports].sort((a, b) => rank[stateClass(a)] - rank[stateClass(b)]), (t) => t.name);
    text(totalNow, rate(model.total.requests));
    total.update(model.total.history);
    const more = Object.entries(model.info.aides || {});
    aides.replaceChildren(...[["holdfastd", model.info.pid], ...more,
      ...model.transports.filter((t) => t.pid).map((t) => [t.name, t.pid])]
      .map(([k, v]) => h("div", null, h("dt", null, k), h("dd", { class: "mono live" }, `pid ${v}`))));
  }

  function showDevices() {
    devices.replaceChildren(...model.devices.map((d) => {
      const n = d.tables || {};
      const link = (table, label) => h("td", { class: "num", "data-label": label }, n[table]
        ? h("a", { href: `#/registers/${encodeURIComponent(d.name)}/${short[table]}` }, count(n[table])) : "–");
      return h("tr", null, h("th", { scope: "row" }, d.name),
        h("td", { "data-label": "served by" }, Object.entries(d.units || {}).map(([t, u]) => `${t}: ${unitWords(u)}`).join("; ") || "nobody"),
        link("coils", "coils"), link("discrete_inputs", "discrete"), link("holding_registers", "holding"),
        link("input_registers", "input"));
    }));
  }

  const showEvents = () => {
    noEvents.hidden = model.happened.length > 0;
    events.replaceChildren(...model.happened.map((e) =>
      h("li", null, icon(e.icon), h("time", { class: "mono", datetime: new Date(e.at * 1000).toISOString(), title: dateClock(e.at) }, today(e.at) ? clock(e.at) : dateClock(e.at)), h("span", null, e.line))));
  };
  const ends = [model.on("status", update), model.on("ready", showDevices), model.on("happened", showEvents)];
  update();
  showDevices();
  showEvents();
  return { el, destroy: () => ends.forEach((f) => f()) };
}

const today = (at) => new Date(at * 1000).toDateString() === new Date().toDateString();
const short = { coils: "co", discrete_inputs: "di", holding_registers: "hr", input_registers: "ir" };
const unitWords = (u) => (/^[01]-255$|^0-1,255$/.test(u) ? "any unit" : `unit${/[,-]/.test(u) ? "s" : ""} ${u}`);
