// SPDX-License-Identifier: Apache-2.0
// Traffic: every frame as it comes and goes, the ones that a filter lets
// through, and one of them taken apart: a tree and its bytes, each lighting up
// the other.

import { h, icon, text, toast, download } from "../dom.js";
import { rpc, fetchFile, every, RpcError, said } from "../rpc.js";
import { model, ready } from "../model.js";
import { Grid } from "../grid.js";
import { compile } from "../filter.js";
import { decode, bytesOf, complete } from "../decode.js";
import { clock, count } from "../formats.js";
import { functions, exceptions } from "../faultwords.js";

const KEEP = 5000, AT_ONCE = 250;

const allColumns = [
  { id: "time", label: "Time", width: "8.5rem", align: "mono", need: 36 },
  { id: "at", label: "Time", width: "6rem", align: "mono", need: 0, below: 36 },
  { id: "delta", label: "Δ ms", width: "5.5rem", align: "right", need: 62, title: "since the frame before it" },
  { id: "dir", label: "", width: "2.4rem", need: 0, title: "Direction" },
  { id: "transport", label: "Transport", width: "6.5rem", need: 40 },
  { id: "peer", label: "Client", width: "minmax(8rem, 11rem)", align: "mono", need: 74 },
  { id: "unit", label: "Unit", width: "3.5rem", align: "right", need: 36 },
  { id: "brief", label: "Frame", width: "minmax(7rem, 1fr)", need: 0, below: 36 },
  { id: "fc", label: "Function", width: "minmax(7rem, 17rem)", need: 36 },
  { id: "addr", label: "Address", width: "5.5rem", align: "right", need: 36 },
  { id: "count", label: "Count", width: "4.5rem", align: "right", need: 48 },
  { id: "result", label: "Values, result", width: "minmax(7rem, 2fr)", need: 36 },
  { id: "us", label: "µs", width: "5rem", align: "right", need: 56, title: "of a reply: since its request" },
];

export function create({ address }) {
  let frames = [], seen = [], since = null, paused = false, test = () => true, chosen = null, only = "", more = false, serverFilter = "";
  const filter = h("input", { type: "search", size: 34, placeholder: "fc==3 && unit==1", "aria-label": "Filter, like fc==3 && unit==1", spellcheck: "false",
    autocapitalize: "off", oninput: () => filtered() });
  const wrong = h("span", { class: "bad-text", role: "alert" });
  const transport = h("select", { "aria-label": "Transport", onchange: () => { only = transport.value; remember(); restart(); } });
  const pauseB = h("button", { "aria-pressed": "false", onclick: () => pause() }, icon("pause"), h("span", null, "Pause"));
  const recordB = h("button", { class: "quiet", onclick: () => setTrace() }, icon("dot"), h("span", null, "Record"));
  const said = h("div", { class: "status-line" });
  const note = h("p", { class: "note", hidden: true });
  const grid = new Grid({ label: "Frames", columns: allColumns, readonly: true, fill, select: (i) => choose(i), activate: (i) => { choose(i); const t = detail.querySelector("[role=treeitem]"); if (t) t.focus(); },
    // the detail takes room of the list: the frame stays in view
    resized: () => { columns(); if (chosen) grid.show(Math.max(0, seen.indexOf(chosen))); } });
  grid.el.addEventListener("wheel", (e) => { if (e.deltaY < 0 && !paused) pause(); }, { passive: true });
  const detail = h("section", { class: "panel detail", hidden: true, "aria-label": "The frame" });
  const split = h("div", { class: "split" }, grid.el, detail);
  const el = h("div", { class: "screen full traffic" }, h("h1", { class: "sr" }, "Traffic"),
    h("div", { class: "toolbar" }, h("span", { class: "field" }, icon("search"), filter), transport, pauseB, recordB,
      h("button", { class: "quiet", onclick: () => { frames = []; sift(); } }, "Empty"),
      h("span", { class: "push" }, h("button", { class: "quiet", "data-do": "pcap", onclick: save, title: "What the daemon has kept and the filter lets through, for Wireshark" }, icon("csv"), "pcap"))),
    wrong, note, split, said);

  function columns() {
    const rem = grid.el.clientWidth / parseFloat(getComputedStyle(document.documentElement).fontSize);
    const list = allColumns.filter((c) => c.need <= rem && !(c.below <= rem));
    if (list.length !== grid.columns.length || list.some((c, i) => c !== grid.columns[i])) grid.setColumns(list);
    grid.draw(true);
  }

  const nameOf = (f) => (f.function == null ? "no frame" : `${f.function & 127} ${f.name ? f.name.replaceAll("_", " ") : functions[f.function & 127] || ""}`);

  function result(f) {
    if (f.exception) return `exception ${f.exception} ${exceptions[f.exception] || ""}`;
    if (f.function == null) return `${(f.adu || "").length / 2} bytes that are no frame`;
    if (Array.isArray(f.values) && f.values.length) return f.values.slice(0, 12).join(" ") + (f.values.length > 12 ? " …" : "");
    return f.direction === "out" ? f.text || "done" : "";
  }

  // All of a frame where there is no room for columns: u1 FC3 22+10, and what
  // came of it.
  function brief(f) {
    if (f.function == null) return result(f);
    const where = f.addr == null ? "" : ` ${f.addr}${f.count > 1 ? `+${f.count}` : ""}`;
    const what = f.exception ? `: exception ${f.exception}` : f.direction === "out" && Array.isArray(f.values) && f.values.length ? `: ${result(f)}` : "";
    return `u${f.unit} FC${f.function & 127}${where}${what}`;
  }

  function fill(i, cells, row) {
    const f = seen[i];
    if (!f) return;
    row.className = `g-row ${f.exception ? "is-exception" : f.function == null ? "is-bad" : ""} ${f === chosen ? "chosen" : ""}`;
    row.setAttribute("aria-selected", f === chosen);
    cells.forEach((cell, k) => {
      switch (grid.columns[k].id) {
        case "time": return text(cell, clock(f.at, 4));
        case "at": return text(cell, clock(f.at));
        case "brief": return text(cell, brief(f));
        case "delta": return text(cell, i ? ((f.at - seen[i - 1].at) * 1000).toFixed(2) : "");
        case "dir":
          if (cell.dataset.dir === f.direction) return;
          cell.dataset.dir = f.direction;
          return cell.replaceChildren(icon(f.direction === "in" ? "out" : "in"), h("span", { class: "sr" }, f.direction === "in" ? "request" : "reply"));
        case "transport": return text(cell, f.transport);
        case "peer": return text(cell, f.peer || f.connection);
        case "unit": return text(cell, f.unit == null ? "" : f.unit);
        case "fc": return text(cell, nameOf(f));
        case "addr": return text(cell, f.addr == null ? "" : f.addr);
        case "count": return text(cell, f.count == null ? "" : f.count);
        case "us": return text(cell, f.us == null ? "" : count(f.us));
        default: return text(cell, result(f));
      }
    });
  }

  // coming in

  async function look() {
    if (paused || !model.pid) return;
    const mine = serverFilter + "\n" + only;
    const params = {};
    if (only) params.transport = only;
    if (since) params.since = since;
    for (const [k, v] of [["limit", AT_ONCE], ["newest", true], ["filter", serverFilter]])
      if (v && model.param("trace.read", k)) params[k] = v;
    let r;
    try {
      r = await rpc("trace.read", params);
    } catch (e) {
      if (!(e instanceof RpcError)) throw e;
      if (since) since = null;
      else say(e.message);
      return;
    }
    if (paused || mine !== serverFilter + "\n" + only) return;
    since = r.next;
    more = r.frames.length >= AT_ONCE || (r.lost && frames.length > 0);
    const fresh = (r.frames.length > AT_ONCE ? r.frames.slice(-AT_ONCE) : r.frames).map(complete);
    if (!fresh.length) return summary();
    for (const f of fresh) tracing.add(f.transport);
    say("");
    frames = frames.concat(fresh);
    if (frames.length > KEEP) frames = frames.slice(-KEEP);
    seen = seen.concat(fresh.filter(test));
    if (seen.length > KEEP) seen = seen.slice(-KEEP);
    shown();
  }

  function shown() {
    const within = grid.el.contains(document.activeElement);
    grid.setCount(seen.length);
    if (!paused && !within) grid.end();
    summary();
  }

  function sift() {
    seen = frames.filter(test);
    shown();
  }

  function restart() {
    since = null;
    frames = [];
    sift();
    look().catch(() => {});
  }

  function filtered() {
    try {
      test = compile(filter.value);
      filter.removeAttribute("aria-invalid");
      text(wrong, "");
      serverFilter = filter.value.trim();
      remember();
      // what has come is sifted at once; what the ring still holds comes again
      sift();
      if (!paused) restart();
    } catch (e) {
      filter.setAttribute("aria-invalid", "true");
      text(wrong, e.message);
    }
  }

  function summary() {
    text(said, `${count(seen.length)} of ${count(frames.length)} frames${paused ? ", paused" : ""}${more && !paused ? " · frames come faster than they are shown here, so some are left out; a filter leaves out fewer" : ""}`);
  }

  function say(words) {
    note.hidden = !words;
    text(note, words);
  }

  function pause() {
    paused = !paused;
    pauseB.setAttribute("aria-pressed", paused);
    pauseB.replaceChildren(icon(paused ? "play" : "pause"), h("span", null, paused ? "Go on" : "Pause"));
    summary();
    if (!paused) look().catch(() => {});
  }

  // Recording itself, where the daemon can switch it.
  const tracing = new Set(); // as far as it is known: what frames came of

  function sayTrace() {
    recordB.hidden = !model.knows("trace.set");
    if (recordB.hidden) return;
    model.allow(recordB, "trace.set", "Have the daemon record frames, or no longer; of the transport chosen, else of all");
    const on = only ? tracing.has(only) : tracing.size > 0;
    recordB.setAttribute("aria-pressed", on);
    text(recordB.lastChild, on ? "Recording" : "Record");
  }

  async function setTrace() {
    try {
      const on = !(only ? tracing.has(only) : tracing.size);
      const names = only ? [only] : model.transports.map((t) => t.name);
      const r = await rpc("trace.set", only ? { transport: only, on } : { on }, { order: true });
      tracing.clear();
      for (const name of r.on) tracing.add(name);
      toast(on ? `Recording ${names.join(", ")}` : `No longer recording ${names.join(", ")}`, "good");
      sayTrace();
    } catch (e) {
      toast(said(e), "bad");
    }
  }

  // one frame

  function choose(i) {
    chosen = seen[i] || null;
    grid.draw(true);
    if (!paused) pause();
    if (!chosen) { detail.hidden = true; return; }
    detail.hidden = false;
    take(chosen);
  }

  function take(f) {
    const d = decode(f), b = bytesOf(f.adu);
    const byteEls = [], items = [];
    const light = (item, on) => {
      for (const one of items) one.el.classList.toggle("lit", on && one === item);
      byteEls.forEach((e, i) => e.classList.toggle("lit", on && i >= item.n.off && i < item.n.off + item.n.len));
    };
    const make = (n, depth) => {
      const line = h("div", { class: "tree-line" }, h("span", { class: "k" }, n.label), h("span", { class: "mono" }, n.value));
      const item = { n, el: line };
      items.push(item);
      const li = h("li", { role: "treeitem", tabindex: -1, "aria-level": depth, "aria-expanded": n.children.length ? "true" : null }, line);
      line.addEventListener("mouseenter", () => light(item, true));
      line.addEventListener("mouseleave", () => light(item, false));
      li.addEventListener("focus", () => light(item, true));
      item.li = li;
      if (n.children.length) li.append(h("ul", { class: "tree", role: "group" }, n.children.map((c) => make(c, depth + 1))));
      return li;
    };
    const peer = f.peer || f.connection;
    const tree = h("ul", { class: "tree", role: "tree", "aria-label": "What its bytes mean", onkeydown: (e) => walk(e, tree) }, d.nodes.map((n) => make(n, 1)));
    if (items[0]) items[0].li.tabIndex = 0;
    const cells = [];
    for (let i = 0; i < b.length; i += 16) {
      cells.push(h("span", { class: "off" }, i.toString(16).padStart(4, "0")));
      for (let k = 0; k < 16; k++) {
        const cell = h("span", { class: k === 8 ? "mid" : null }, i + k < b.length ? b[i + k].toString(16).padStart(2, "0") : "");
        if (i + k < b.length) {
          const at = i + k;
          byteEls.push(cell);
          cell.addEventListener("mouseenter", () => {
            // the smallest part that this byte belongs to
            const own = items.filter((x) => at >= x.n.off && at < x.n.off + x.n.len).sort((x, y) => x.n.len - y.n.len)[0];
            if (own) { light(own, true); own.el.scrollIntoView({ block: "nearest" }); }
          });
        }
        cells.push(cell);
      }
      cells.push(h("span", { class: "chars" }, b.slice(i, i + 16).map((c) => (c >= 32 && c < 127 ? String.fromCharCode(c) : "·")).join("")));
    }
    detail.replaceChildren(
      h("div", null, h("h2", null, `${f.direction === "in" ? "Request from" : "Reply to"} ${peer} on ${f.transport}, ${clock(f.at, 6)}`), tree),
      h("div", null, h("h2", null, `${d.name}, ${b.length} bytes`), h("div", { class: "hexdump", role: "img", "aria-label": `the bytes: ${f.adu}` }, cells)));
    detail.scrollTop = 0;
  }

  function walk(e, tree) {
    const list = [...tree.querySelectorAll("[role=treeitem]")];
    const at = list.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: list.length - 1 }[e.key];
    if (e.key === "Escape" || e.key === "ArrowLeft") { e.preventDefault(); e.stopPropagation(); return grid.focus(grid.at.row, grid.at.column); }
    if (to === undefined || !list[to]) return;
    e.preventDefault();
    for (const one of list) one.tabIndex = one === list[to] ? 0 : -1;
    list[to].focus();
  }

  async function save() {
    const params = {};
    if (only) params.transport = only;
    if (serverFilter) params.filter = serverFilter;
    try {
      const { bytes, headers } = await fetchFile("trace.pcap", params);
      if (bytes.byteLength <= 24) return toast("There is nothing to save.");
      download("holdfast.pcap", "application/vnd.tcpdump.pcap", bytes);
      if (headers.get("Holdfast-More")) toast("The oldest frames are saved: a filter or a transport gets all of something");
      else toast("Saved", "good");
    } catch (e) {
      toast(said(e), "bad");
    }
  }

  function remember() {
    address(["traffic", ...(only ? [only] : [])], { filter: filter.value });
  }

  function status() {
    const names = ["", ...model.transports.map((t) => t.name)];
    if (transport.options.length !== names.length)
      transport.replaceChildren(...names.map((n) => h("option", { value: n }, n || "every transport")));
    transport.value = only;
    sayTrace();
    if (!frames.length && !paused && !serverFilter)
      say(model.knows("trace.set") ? "Nothing has been recorded. Record switches it on; \"trace\": true in a transport's configuration does so for good."
        : "Nothing has been recorded. A transport records its frames if \"trace\": true is in its configuration.");
    else say("");
  }

  const off = model.on("status", status);
  ready().then(status);
  const end = every(300, look);
  return {
    el,
    route([name], query) {
      only = name || "";
      transport.value = only;
      if (query.get("filter") !== null && query.get("filter") !== filter.value) {
        filter.value = query.get("filter");
        filtered();
      }
    },
    search() { filter.focus(); filter.select(); },
    key(e) {
      if (e.ctrlKey || e.key !== "p") return false;
      pause();
      return true;
    },
    destroy() { end(); off(); grid.destroy(); },
  };
}
