// SPDX-License-Identifier: Apache-2.0
// What stands above the registers: which table, what to jump to, how values are
// shown, undo, CSV.

import { h, icon } from "../dom.js";
import { model } from "../model.js";
import { formats, orders, count } from "../formats.js";
import { undo } from "./edits.js";
import { tables, longName } from "./tables.js";

// o.open(change), o.jump(what, backwards), o.step("undo" or "redo"), o.csv().
export function tools(o) {
  const $ = {};
  let now = { table: "hr", view: "list" };
  $.devices = h("select", { "aria-label": "Device", onchange: () => o.open({ device: $.devices.value }) });
  $.tabs = h("div", { class: "seg", role: "tablist", "aria-label": "Table" }, tables.map(([id, , label]) =>
    h("button", { role: "tab", "data-table": id, onclick: () => o.open({ table: id }), onkeydown: tabKey }, label)));
  $.jump = h("input", { type: "search", size: 14, placeholder: "address or name", "aria-label": "Jump to an address or name",
    onkeydown: (e) => { if (e.key === "Enter") o.jump($.jump.value, e.shiftKey); } });
  $.format = h("select", { "aria-label": "Format", onchange: () => o.open({ format: $.format.value }) },
    Object.entries(formats).map(([id, f]) => h("option", { value: id }, f.label)));
  $.order = h("select", { id: "fmt-order", "aria-label": "Word order", onchange: () => o.open({ order: $.order.value }) },
    Object.entries(orders).map(([id, label]) => h("option", { value: id, title: label }, id)));
  $.view = h("button", { "aria-pressed": "false", title: "Many values in a row (v)", onclick: () => o.open({ view: now.view === "list" ? "matrix" : "list" }) }, icon("overview"), "Matrix");
  $.undo = h("button", { class: "quiet", onclick: () => o.step("undo") }, icon("undo"), "Undo");
  $.redo = h("button", { class: "quiet", onclick: () => o.step("redo") }, icon("redo"), "Redo");
  $.csv = h("button", { class: "quiet", onclick: o.csv, title: "All of this table as a CSV map" }, icon("csv"), "CSV");
  const el = h("div", { class: "toolbar" }, $.devices, $.tabs, h("span", { class: "field" }, icon("search"), $.jump),
    h("span", { class: "field" }, $.format, $.order), $.view,
    h("span", { class: "field push" }, $.undo, $.redo, $.csv));

  function tabKey(e) {
    const at = tables.findIndex(([id]) => id === now.table);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 }[e.key];
    if (to === undefined) return;
    const [id] = tables[(to + tables.length) % tables.length];
    o.open({ table: id }).then(() => $.tabs.querySelector(`[data-table=${id}]`).focus());
  }

  function showTabs(device) {
    for (const b of $.tabs.children) {
      const mine = b.dataset.table === now.table;
      b.setAttribute("aria-selected", mine);
      b.tabIndex = mine ? 0 : -1;
      const n = device && device.tables[longName[b.dataset.table]];
      b.classList.toggle("muted", !n);
      b.title = n ? `${count(n)} addresses` : "none";
    }
  }

  return {
    el,
    jump: $.jump,
    // s: what the screen shows, as it has it
    show(s, bits) {
      now = s;
      if (model.devices.length !== $.devices.length)
        $.devices.replaceChildren(...model.devices.map((d) => h("option", { value: d.name }, d.name)));
      $.devices.value = s.device;
      showTabs(model.devices.find((d) => d.name === s.device));
      $.format.value = s.format;
      $.order.value = s.order;
      $.format.disabled = bits;
      $.order.disabled = bits || s.format === "declared" || ["hex", "bin", "u16", "i16"].includes(s.format);
      $.view.setAttribute("aria-pressed", s.view === "matrix" && s.rows.per > 1);
    },
    undo() {
      const why = model.whyNot("registers.transaction");
      for (const [b, step, word] of [[$.undo, undo.next, "Undo"], [$.redo, undo.again, "Redo"]]) {
        b.disabled = !step || !!why;
        b.title = why || (step ? `${word}: ${step.words}` : `Nothing to ${word.toLowerCase()}`);
      }
    },
  };
}
