// SPDX-License-Identifier: Apache-2.0
// Registers: a table of a device, whatever its size. Only the rows that are
// seen are read, five times a second. What stands in its columns, its editing
// and its CSV are in ../registers.

import { h, text, toast, stray } from "../dom.js";
import { rpc, every, link, RpcError, said } from "../rpc.js";
import { model, ready } from "../model.js";
import { Grid, OVERSCAN } from "../grid.js";
import { Rows } from "../rows.js";
import { pins, seriesOf, MOST } from "../pins.js";
import { formats, orders, show, parse, parseBit, count } from "../formats.js";
import { allColumns, listColumns, matrixColumns, perRow, plainCell } from "../registers/columns.js";
import { edits, ofBits, undo } from "../registers/edits.js";
import { editor } from "../registers/editor.js";
import { saveCsv } from "../registers/csv.js";
import { Values } from "../registers/values.js";
import { tables, inWords, firstTable } from "../registers/tables.js";
import { tools } from "../registers/tools.js";

export function create({ address }) {
  const s = { device: "", table: "hr", format: "declared", order: "abcd", view: "list",
    ranges: [], rows: new Rows([], "u16", "abcd", false), values: new Values(), find: "" };
  const $ = {};
  const bits = () => ofBits(s.table);
  // a device counts where it is told to; what does not count has no column
  const counting = () => model.knows("registers.counts") && model.devices.some((d) => d.name === s.device && d.counters !== false);

  const bar = tools({ open, jump, step: (what) => step(what), csv: () => saveCsv({ ...s, bits: bits() }) });
  $.note = h("p", { class: "note", hidden: true });
  $.status = h("div", { class: "status-line" });
  // what has the focus, in full, and what the keys do with it for who has none
  $.of = h("span", { class: "here-text" });
  $.edit = h("button", { class: "quiet", "data-do": "edit", onclick: () => activate(grid.at.row, grid.at.column, {}) }, "Edit");
  $.pin = h("button", { class: "quiet", "data-do": "pin", onclick: () => pin(grid.at.row, grid.at.column) }, "Pin");
  $.here = h("div", { class: "here", hidden: true }, $.of, $.edit, $.pin);
  const grid = new Grid({
    label: "Registers", columns: allColumns, fill, activate, key: gridKey,
    moved: () => { hint(); read(); }, resized: () => {
      columns();
      // what says what has the focus takes room of the list
      if (grid.el.contains(document.activeElement)) grid.show(grid.at.row);
    },
  });
  const el = h("div", { class: "screen full registers" }, h("h1", { class: "sr" }, "Registers"),
    bar.el, $.note, grid.el, $.here, $.status);
  grid.el.addEventListener("focusin", (e) => { if (e.target.closest("[role=gridcell]")) here(); });

  // what is shown

  async function open(change) {
    const mine = s.opening = {};
    astray("");
    Object.assign(s, change);
    if (change.device !== undefined || change.table !== undefined || !s.loaded) {
      s.values.clear();
      await load();
      // somebody has gone elsewhere meanwhile
      if (s.opening !== mine) return;
    }
    const keep = change.device === undefined && change.table === undefined && grid.count
      ? grid.anchor() : null;
    const kept = keep && s.rows.row(keep.row);
    $.here.hidden = true;
    build();
    sayTools();
    if (kept) {
      const row = s.rows.find(kept.addr);
      grid.at.row = row;
      grid.align(row, keep.below);
    } else if (change.addr === undefined) {
      grid.at.row = 0;
      grid.align(0);
    }
    remember();
    hint();
    read();
  }

  async function load() {
    const mine = s.loading = {};
    try {
      const ranges = await rpc("registers.describe", { device: s.device, table: s.table });
      if (s.loading !== mine) return;
      s.ranges = ranges;
      s.loaded = true;
      say("");
    } catch (e) {
      s.ranges = [];
      say(said(e, ""));
    }
  }

  function build() {
    const per = s.view === "matrix" ? perRow(width(), bits(), s.format) : 1;
    s.rows = new Rows(s.ranges, s.format, s.order, bits(), per);
    columns();
    grid.setCount(s.rows.count);
    if (!s.ranges.length && s.loaded)
      say(`${s.device} has no ${inWords(s.table)}.`);
  }

  const width = () => (grid.el.clientWidth || 900) / parseFloat(getComputedStyle(document.documentElement).fontSize);

  function columns() {
    let list;
    if (s.view === "matrix") {
      const n = perRow(width(), bits(), s.format);
      if (n !== s.rows.per) return void setTimeout(() => build());
      list = matrixColumns(n, s.rows.parts[0] ? s.rows.parts[0].width || 1 : 1, bits());
    } else {
      list = listColumns(width(), bits(), counting());
    }
    const ids = list.map((c) => c.id + c.label).join();
    if (ids === s.ids) return;
    s.ids = ids;
    grid.setColumns(list);
  }

  function say(words) {
    $.note.hidden = !words;
    text($.note, words);
  }

  // what was wrong with where somebody wanted to go, until they go elsewhere
  function astray(words) {
    if (s.astray) s.astray();
    s.astray = words ? stray(words) : null;
  }

  function sayTools() {
    bar.show(s, bits());
    grid.el.setAttribute("aria-label", `${inWords(s.table)} of ${s.device}`);
    sayUndo();
  }

  function sayUndo() {
    bar.undo();
    grid.el.setAttribute("aria-readonly", model.may("registers.write") ? "false" : "true");
  }

  function remember() {
    const row = s.rows.row(grid.at.row);
    address(["registers", s.device, s.table, ...(row && grid.at.row ? [row.addr] : [])], {
      fmt: s.format === "declared" ? "" : s.format, order: s.order === "abcd" ? "" : s.order,
      view: s.view === "list" ? "" : s.view,
    });
  }

  // filling rows

  const regs = (addr, n) => s.values.regs(addr, n);

  function words(row, addr) {
    const r = regs(addr, row.width);
    if (!r) return "…";
    return bits() ? String(r[0]) : show(r, row.format, row.order, row.scale);
  }

  function freshly(cell, row, addr, now) {
    const at = s.values.freshly(addr, row.width, now), on = at > 0;
    // taken off and put on again, the flash starts anew
    if (on && cell.flash !== at) {
      cell.classList.remove("changed");
      void cell.offsetWidth;
    }
    cell.flash = at;
    cell.classList.toggle("changed", on);
  }

  function fill(i, cells, el) {
    const row = s.rows.row(i);
    const now = performance.now();
    if (!row) return;
    el.classList.toggle("gap", !!row.gap);
    el.classList.toggle("ro", !row.gap && readOnly(row));
    cells.forEach((cell, k) => {
      const id = grid.columns[k].id;
      if (cell.querySelector("input")) return;
      if (id !== "m" && id !== "value") return text(cell, plainCell(id, row, regs, counted));
      const n = id === "m" ? k - 1 : 0;
      if (row.gap || n >= row.n) {
        text(cell, row.gap && n === 0 ? (id === "m" ? "" : "not defined") : "");
        cell.classList.remove("changed", "on");
        return;
      }
      const addr = row.addr + n * row.width;
      const shown = words(row, addr);
      text(cell, shown);
      cell.classList.add("live");
      cell.classList.toggle("on", bits() && shown === "1");
      freshly(cell, row, addr, now);
      if (id === "m" && row.range) cell.title = `${addr}${row.range.name ? ` ${row.range.name}` : ""}`;
      const pinned = id === "value" && pins.find(pinOf(row, addr));
      if (pinned) cell.append(h("span", { class: "pinned-mark", title: "pinned to the chart" }));
    });
  }

  function counted(which, row) {
    const most = s.values.counted(which, row.addr, row.width);
    return most < 0 ? "" : count(most);
  }

  function here() {
    const at = cellAddr(grid.at.row, grid.at.column);
    $.here.hidden = !at;
    if (!at) return;
    const r = at.row.range, name = pinOf(at.row, at.addr).name;
    text($.of, [at.addr, name, words(at.row, at.addr), r.unit, plainCell("type", { ...at.row, addr: at.addr }, regs, counted), readOnly(at.row) ? "read only for clients" : ""].filter((x) => x !== "").join(" "));
    const why = model.whyNot("registers.write");
    $.edit.disabled = !!why;
    $.edit.title = why || "Enter";
    text($.pin, pins.find(pinOf(at.row, at.addr)) ? "Unpin" : "Pin");
    $.pin.hidden = at.row.format === "ascii";
    $.pin.title = "to the chart (p)";
  }

  function readOnly(row) {
    return row.range.access === "ro" || s.table === "di" || s.table === "ir";
  }

  // reading: what is seen, and nothing else

  const spans = () => {
    const { first, last } = grid.range();
    // a little beyond, so that scrolling by a row finds it read
    return s.rows.spans(Math.max(0, first - OVERSCAN), last + OVERSCAN);
  };

  async function read() {
    if (s.reading || !s.loaded || !s.rows.count) return;
    s.reading = true;
    const { device, table } = s;
    try {
      const counts = counting() && s.view === "list" && grid.columns.some((c) => c.counts) && (s.turn = (s.turn || 0) + 1) % 5 === 1;
      const mine = await s.values.read({ device, table, bits: bits(), counts, spans: spans(),
        still: () => device === s.device && table === s.table });
      if (!mine) return;
      grid.draw(true);
      if (!$.here.hidden) here();
    } catch (e) {
      if (e instanceof RpcError) say(e.message);
    } finally {
      s.reading = false;
    }
  }

  // editing

  function cellAddr(i, column) {
    const row = s.rows.row(i);
    if (!row || row.gap) return null;
    const n = grid.columns[column] && grid.columns[column].id === "m" ? column - 1 : 0;
    return n < row.n ? { device: s.device, table: s.table, row, addr: row.addr + n * row.width } : null;
  }

  function activate(i, column, event, first = null) {
    const at = cellAddr(i, column);
    if (!at) return;
    const why = link.state === "gone" ? "There is no connection: nothing can be written." : model.whyNot("registers.write");
    if (why) return toast(why, "bad");
    const k = s.view === "matrix" ? column : grid.columns.findIndex((c) => c.id === "value");
    const rowEl = grid.rows.get(i);
    if (!rowEl || !at.row) return;
    const now = regs(at.addr, at.row.width);
    if (!now) return;
    if (bits() && first === null && event.type === "dblclick") return write(at, now, [now[0] ? 0 : 1]);
    editor(rowEl.cells[k], { start: first === null ? words(at.row, at.addr) : first, whole: first === null,
      label: `New value of ${at.addr}${at.row.range.name ? `, ${at.row.range.name}` : ""}`,
      parse: (v) => (bits() ? parseBit(v) : parse(v, at.row.format, at.row.order, at.row.scale, at.row.width)),
      commit: (after, move) => {
        if (move) grid.focus(beside(i, move), k);
        return write(at, now, after);
      },
      ended: (back) => {
        grid.draw(true);
        if (back) grid.focus(grid.at.row, k);
      } });
  }

  const { write, step } = edits({
    written(at, values) {
      if (at.device === s.device && at.table === s.table)
        values.forEach((v, i) => s.values.take(at.addr + i, v));
      grid.draw(true);
    },
    again: () => read(),
  });

  // the next row that holds a value
  function beside(i, move) {
    let to = i + move;
    while (s.rows.row(to) && s.rows.row(to).gap) to += move;
    return s.rows.row(to) ? to : i;
  }

  // pins, jumps, keys

  function pinOf(row, addr) {
    return seriesOf(s.device, s.table, row.range, { addr, format: bits() ? "u16" : row.format, order: row.order, scale: row.scale, width: row.width });
  }

  function pin(i, column) {
    const at = cellAddr(i, column);
    if (!at) return;
    if (at.row.format === "ascii") return toast("A text cannot be drawn.", "bad");
    const what = pins.toggle(pinOf(at.row, at.addr));
    const label = `${s.device}/${s.table}:${at.addr}`;
    if (what === "full") toast(`There are ${MOST} series already. Unpin one first.`, "bad");
    else toast(what === "on" ? `${label} is pinned to the chart` : `${label} is no longer pinned`, "info",
      what === "on" ? { label: "To the chart", run: () => { location.hash = "#/charts"; } } : null);
    grid.draw(true);
    here();
  }

  function gridKey(e, i, column) {
    if (e.ctrlKey) return false;
    if (e.key === "p") { pin(i, column); return true; }
    if (e.key === "c") { copyLink(i, column); return true; }
    if (e.key === " " && bits()) {
      const at = cellAddr(i, column);
      const now = at && regs(at.addr, 1);
      if (now && model.may("registers.write")) write(at, now, [now[0] ? 0 : 1]);
      return true;
    }
    if (/^[0-9-]$/.test(e.key) && cellAddr(i, column)) {
      activate(i, column, e, e.key);
      return true;
    }
    return false;
  }

  async function copyLink(i, column) {
    const at = cellAddr(i, column);
    if (!at) return;
    remember();
    const url = location.href.replace(/#.*/, `#/registers/${encodeURIComponent(s.device)}/${s.table}/${at.addr}${s.format === "declared" ? "" : `?fmt=${s.format}`}`);
    try {
      await navigator.clipboard.writeText(url);
      toast("The link is copied");
    } catch {
      toast(url);
    }
  }

  function jump(what, backwards) {
    what = what.trim();
    if (!what) return;
    const addr = /^(0x[0-9a-f]+|\d+)$/i.test(what) ? Number(what) : null;
    if (addr !== null) {
      const i = s.rows.find(addr);
      const row = s.rows.row(i);
      const end = row && row.addr + (row.gap ? row.count : row.n * row.width);
      astray(!row || (addr >= row.addr && addr < end) ? ""
        : addr > 65535 ? `There is no address ${what}: the last one that can be is 65535.`
          : `Nothing is defined at ${s.table}:${what} of ${s.device}; the nearest that is has been gone to.`);
      grid.focus(i, s.view === "matrix" && row && !row.gap ? 1 + Math.floor((addr - row.addr) / row.width) : valueColumn(), true);
      remember();
      return;
    }
    const hits = s.ranges.filter((r) => (r.name || "").toLowerCase().includes(what.toLowerCase())).sort((a, b) => a.addr - b.addr);
    if (!hits.length) return toast(`No name here holds "${what}".`, "bad");
    s.hit = s.find === what ? (s.hit + (backwards ? hits.length - 1 : 1)) % hits.length : 0;
    s.find = what;
    grid.focus(s.rows.find(hits[s.hit].addr), valueColumn(), true);
    bar.jump.focus();
    text($.status, `${hits[s.hit].name}: ${s.hit + 1} of ${hits.length}; Enter for the next`);
  }

  const valueColumn = () => (s.view === "matrix" ? 1 : grid.columns.findIndex((c) => c.id === "value"));

  function hint() {
    const { first, last } = grid.range();
    const a = s.rows.row(first), b = s.rows.row(last);
    if (!a || !b) return text($.status, "");
    const total = s.ranges.reduce((n, r) => n + r.count, 0);
    text($.status, `${a.addr} to ${b.gap ? b.addr + b.count - 1 : b.addr + b.n * b.width - 1} of ${count(total)} addresses in ${s.ranges.length} ranges · Enter edits, p pins, c copies the link`);
  }

  const ends = [every(200, read)];
  undo.changed = sayUndo;
  const onReady = () => {
    s.loaded = false;
    open(model.devices.some((d) => d.name === s.device) ? {} : { device: (model.devices[0] || {}).name || "" });
  };
  ends.push(model.on("status", sayUndo), model.on("ready", onReady));

  return {
    el,
    async route([device, table, addr], query) {
      await ready();
      const change = {
        device: model.devices.some((d) => d.name === device) ? device : (model.devices[0] || {}).name || "",
        table: tables.some(([id]) => id === table) ? table : firstTable(device),
        format: formats[query.get("fmt")] ? query.get("fmt") : "declared",
        order: orders[query.get("order")] ? query.get("order") : "abcd",
        view: query.get("view") === "matrix" ? "matrix" : "list",
      };
      const at = /^\d+$/.test(addr || "") ? Number(addr) : undefined;
      await open({ ...change, addr: at });
      if (s.table !== change.table || s.device !== change.device) return;
      if (at !== undefined) jump(addr);
      const wrong = device && change.device !== device ? `device ${device}`
        : table && change.table !== table ? `table ${table}`
          : addr && at === undefined ? `address ${addr}` : "";
      if (wrong) astray(`There is no ${wrong}.`);
    },
    search() { bar.jump.focus(); bar.jump.select(); },
    key(e) {
      if (e.ctrlKey && e.key.toLowerCase() === "z") { step(e.shiftKey ? "redo" : "undo"); return true; }
      if (e.ctrlKey && e.key.toLowerCase() === "y") { step("redo"); return true; }
      if (!e.ctrlKey && e.key === "v") { open({ view: s.view === "list" ? "matrix" : "list" }); return true; }
      return false;
    },
    destroy() {
      ends.forEach((f) => f());
      undo.changed = () => {};
      grid.destroy();
    },
  };
}
