// SPDX-License-Identifier: Apache-2.0
// Log: what the processes' rings still hold, and what comes.

import { h, icon, text, toast, download } from "../dom.js";
import { rpc, every, listen, RpcError } from "../rpc.js";
import { model, ready } from "../model.js";
import { Grid } from "../grid.js";
import { clock, dateClock, count } from "../formats.js";

const levels = ["error", "warn", "info", "debug"];
const KEEP = 10000;

// what a daemon may call them
const levelOf = (l) => ({ fatal: "error", err: "error", warning: "warn", warnx: "warn" })[l] || l;

export function create({ address }) {
  let lines = [], seen = [], since = null, level = "debug", follow = true, lostAt = 0;
  const search = h("input", { type: "search", placeholder: "words in a line", "aria-label": "Search the log", oninput: () => { remember(); sift(); } });
  const tabs = h("div", { class: "seg", role: "group", "aria-label": "Least level" }, [...levels].reverse().map((l) =>
    h("button", { "data-level": l, title: l === "error" ? "errors only" : `${l} and what matters more`, onclick: () => { level = l; remember(); sift(); } },
      { debug: "All", info: "Info", warn: "Warnings", error: "Errors" }[l])));
  const followB = h("button", { "aria-pressed": "true", onclick: () => setFollow(!follow) }, icon("play"), "Follow");
  const note = h("p", { class: "note", hidden: true });
  const said = h("span", { class: "muted" });
  const columns = [
    { id: "time", label: "Time", width: "6.5rem", align: "mono" }, { id: "level", label: "Level", width: "6.2rem" },
    { id: "who", label: "Who", width: "8rem" }, { id: "line", label: "Line", width: "minmax(20rem, 1fr)" },
  ];
  // where a line does not fit, the one that is chosen stands below in full
  const whole = h("p", { class: "note whole", hidden: true });
  const narrow = [columns[0], { ...columns[1], width: "2.4rem", label: "", title: "Level" }, { ...columns[3], width: "minmax(0, 1fr)" }];
  const grid = new Grid({ label: "Log", columns, readonly: true, fill, select: (i) => choose(i),
    resized: () => {
      const small = grid.el.clientWidth < 560;
      if (small !== (grid.columns === narrow)) { grid.setColumns(small ? narrow : columns); }
    },
    activate: (i) => copy(i),
  });
  grid.el.addEventListener("wheel", (e) => { if (e.deltaY < 0) setFollow(false); }, { passive: true });
  grid.el.addEventListener("scroll", () => { if (!follow && grid.atEnd && lines.length) setFollow(true); }, { passive: true });
  const el = h("div", { class: "screen full" }, h("h1", { class: "sr" }, "Log"),
    h("div", { class: "toolbar" }, h("span", { class: "field" }, icon("search"), search), tabs, followB, said,
      h("span", { class: "push" }, h("button", { class: "quiet", onclick: save }, icon("csv"), "Download"))),
    note, grid.el, whole);

  function fill(i, cells, row) {
    const l = seen[i];
    if (!l) return;
    const kind = levelOf(l.level);
    row.className = `g-row log-line-${kind}`;
    cells.forEach((cell, k) => {
      const id = grid.columns[k].id;
      if (id === "time") { text(cell, clock(l.at)); cell.title = dateClock(l.at); }
      else if (id === "who") text(cell, l.who);
      else if (id === "level") {
        if (cell.dataset.kind === kind + k) return;
        cell.dataset.kind = kind + k;
        cell.replaceChildren(icon({ error: "failed", warn: "warn", info: "info", debug: "dot" }[kind] || "dot"), " ", h("span", { class: columns.length === grid.columns.length ? "" : "sr" }, l.level));
      } else { marked(cell, l.line); cell.title = l.line; }
    });
  }

  // the words that were searched for, marked
  function marked(cell, line) {
    const word = search.value.trim().toLowerCase();
    const at = word ? line.toLowerCase().indexOf(word) : -1;
    if (at < 0) return text(cell, line);
    cell.replaceChildren(line.slice(0, at), h("mark", null, line.slice(at, at + word.length)), line.slice(at + word.length));
  }

  const passes = (l) => levels.indexOf(levelOf(l.level)) <= levels.indexOf(level) &&
    (!search.value.trim() || `${l.who} ${l.line}`.toLowerCase().includes(search.value.trim().toLowerCase()));

  function sift() {
    seen = lines.filter(passes);
    for (const b of tabs.children) b.setAttribute("aria-pressed", b.dataset.level === level);
    grid.setCount(seen.length);
    if (follow) grid.end();
    say();
  }

  function say() {
    text(said, `${count(seen.length)} of ${count(lines.length)} lines${lostAt ? "; some before were overwritten" : ""}`);
  }

  function take(fresh) {
    if (!fresh.length) return;
    lines.push(...fresh);
    const over = lines.length - KEEP;
    if (over > 0) lines = lines.slice(over);
    if (!follow) {
      // what is being read stays where it is; the rest is there when asked for
      seen = seen.concat(fresh.filter(passes));
      grid.setCount(seen.length);
      say();
    } else sift();
  }

  function setFollow(on) {
    follow = on;
    followB.setAttribute("aria-pressed", on);
    if (on) sift();
  }

  async function look() {
    if (!model.knows("log.read")) return;
    try {
      const r = await rpc("log.read", since === null ? { limit: 1000 } : { since, limit: 1000 });
      if (r.lost && since !== null) lostAt = Date.now();
      since = r.next;
      take(r.lines);
    } catch (e) {
      if (!(e instanceof RpcError)) throw e;
      // positions of an earlier daemon
      if (since !== null) since = null;
      else { note.hidden = false; text(note, e.message); }
    }
  }

  function choose(i) {
    const l = seen[i];
    whole.hidden = !l || grid.columns !== narrow;
    if (!l) return;
    setFollow(false);
    text(whole, `${dateClock(l.at)} ${l.level} ${l.who}: ${l.line}`);
  }

  async function copy(i) {
    const l = seen[i];
    try {
      await navigator.clipboard.writeText(`${dateClock(l.at)} ${l.level} ${l.who} ${l.line}`);
      toast("The line is copied");
    } catch { toast(l.line); }
  }

  function save() {
    download("holdfast.log", "text/plain", seen.map((l) => `${new Date(l.at * 1000).toISOString()} ${l.level} ${l.who}: ${l.line}\n`).join(""));
  }

  function remember() {
    address(["log"], { level: level === "debug" ? "" : level, q: search.value });
  }

  const ends = [];
  ready().then(() => {
    if (model.knows("log.read")) return;
    note.hidden = false;
    text(note, "This daemon keeps no lines that could be read later; here is what is said from now on.");
    ends.push(listen("log", (e) => take([e])));
  });
  ends.push(every(500, look));
  return {
    el,
    route(_, query) {
      level = levels.includes(query.get("level")) ? query.get("level") : "debug";
      search.value = query.get("q") || "";
      sift();
    },
    search() { search.focus(); search.select(); },
    key(e) {
      if (e.ctrlKey || e.key !== "p") return false;
      setFollow(!follow);
      return true;
    },
    destroy() { ends.forEach((f) => f()); grid.destroy(); },
  };
}
