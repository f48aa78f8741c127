// SPDX-License-Identifier: Apache-2.0
// Configuration: what is in force; whether the file on disk, or a text that is
// pasted, is right, and line by line what a reload of it would change; and the
// reload, which applies all of it but the store's name.

import { h, icon, text, toast, confirmed, download } from "../dom.js";
import { rpc, RpcError, said } from "../rpc.js";
import { model, ready } from "../model.js";
import { diff, hunks } from "../diff.js";
import { plural } from "../formats.js";

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)|(\/\/.*|#.*)/g;

// A line of JSON with its parts marked.
function line(words) {
  const el = h("span");
  let at = 0;
  for (const m of words.matchAll(TOKEN)) {
    if (m.index > at) el.append(words.slice(at, m.index));
    const kind = m[1] ? (m[2] ? "j-key" : "j-text") : m[3] ? "j-number" : "muted";
    el.append(h("span", { class: kind }, m[1] || m[0]));
    if (m[1] && m[2]) el.append(m[2]);
    at = m.index + m[0].length;
  }
  el.append(words.slice(at) || (at ? "" : "\u200b"));
  return el;
}

const MOST_LINES = 3000; // of a difference that are shown
const MOST_BYTES = 900_000; // the daemon takes 1 MiB, and quotes need room

// What differs between two texts, each line with its sign and its number.
function compared(now, then) {
  const lines = diff(now, then);
  const n = { "-": 0, "+": 0, " ": 0 };
  for (const l of lines) n[l.sign]++;
  if (!n["-"] && !n["+"]) return null;
  const list = hunks(lines);
  let left = MOST_LINES;
  const shown = list.map((part) => {
    const some = part.slice(0, left);
    left -= some.length;
    return some.length > 0 && h("div", { class: "hunk" }, some.map((l) => {
      const el = line(l.text);
      el.classList.add({ "-": "went", "+": "came", " ": "stayed" }[l.sign]);
      el.prepend(h("i", { class: "at" }, l.was || ""), h("i", { class: "at" }, l.is || ""),
        h("b", { class: "sign" }, l.sign, l.sign !== " " && h("span", { class: "sr" }, l.sign === "-" ? "goes: " : "comes: ")));
      return el;
    }));
  });
  return h("section", { class: "compared" },
    h("p", { class: "muted" }, "In force now (", h("b", null, "−"), `, ${plural(n["-"], "line")} that would go) against what would be (`, h("b", null, "+"), `, ${plural(n["+"], "line")} that would come), defaults spelt out:`),
    h("pre", { class: "code compare", tabindex: 0, "aria-label": "What would change, line by line" }, shown),
    left <= 0 && h("p", { class: "muted" }, `Only the first ${MOST_LINES} lines are shown.`));
}

export function create() {
  const path = h("code");
  const from = h("span", { class: "muted", hidden: true }, "In force, from ", path);
  const code = h("pre", { class: "code", tabindex: 0, "aria-label": "Effective configuration" });
  const result = h("section", { class: "panel", hidden: true, "aria-label": "What was found", "aria-live": "polite" });
  const note = h("p", { class: "note", hidden: true });
  const button = (id, name, label, fn) => h("button", { "data-do": id, onclick: fn }, icon(name), label);
  const check = button("check", "check", "Check the file", () => doCheck());
  const paste = h("button", { "data-do": "paste", "aria-expanded": "false", "aria-controls": "paste", onclick: () => showPaste(pane.hidden) }, icon("change"), "Check a text");
  const reload = button("reload", "restart", "Reload", () => doReload());
  const save = h("button", { class: "quiet", onclick: () => download("holdfast.json", "application/json", whole) }, icon("csv"), "Download");
  const snap = h("button", { class: "quiet", "data-do": "snapshot", onclick: () => doSnapshot() }, icon("csv"), "Snapshot of the registers");
  const find = h("input", { type: "search", placeholder: "find in the text", "aria-label": "Find in the configuration", oninput: () => seek() });
  const area = h("textarea", { id: "paste-text", class: "paste mono", spellcheck: "false", autocomplete: "off", wrap: "off", rows: 14, placeholder: "{ \"devices\": …, \"transports\": … }", "aria-describedby": "paste-what",
    onkeydown: (e) => { if (e.key === "Enter" && e.ctrlKey) { e.preventDefault(); doText(); } } });
  const choose = h("input", { type: "file", accept: ".json,.jsonc,.txt,application/json", hidden: true, onchange: () => { take(choose.files[0]); choose.value = ""; } });
  const checkText = h("button", { class: "primary", "data-do": "check-text", title: "Ctrl+Enter", onclick: () => doText() }, icon("check"), "Check this text");
  const pane = h("section", { class: "panel", id: "paste", hidden: true, "aria-label": "A text to check" },
    h("label", { for: "paste-text" }, "A configuration to check"), area,
    h("p", { class: "muted", id: "paste-what" }, "It is read as though it were the main file, and changes nothing. Files that it names are read only if the file on disk names them too."),
    h("div", { class: "buttons" }, choose, h("button", { class: "quiet", onclick: () => choose.click() }, "Open a file"),
      h("button", { class: "quiet", "data-do": "fill", onclick: () => { area.value = whole; area.focus(); area.setSelectionRange(0, 0); area.scrollTop = 0; } }, "Begin with what is in force"), checkText));
  area.addEventListener("dragover", (e) => e.preventDefault());
  area.addEventListener("drop", (e) => {
    if (!e.dataTransfer.files.length) return;
    e.preventDefault();
    take(e.dataTransfer.files[0]);
  });
  let whole = "";
  const el = h("div", { class: "screen full" }, h("h1", { class: "sr" }, "Configuration"),
    h("div", { class: "toolbar" }, check, paste, reload, h("span", { class: "field" }, icon("search"), find), from, h("span", { class: "push field" }, snap, save)),
    note, pane, result, code);

  async function load() {
    for (const [b, method] of [[check, "config.check"], [checkText, "config.check"], [reload, "system.reload"], [snap, "snapshot.save"]])
      model.allow(b, method);
    paste.hidden = !model.param("config.check", "text");
    snap.hidden = !model.knows("snapshot.save");
    const why = model.whyNot("config.get");
    if (why) return say(why);
    try {
      const r = await rpc("config.get");
      whole = r.text;
      text(path, r.path);
      code.replaceChildren(...r.text.replace(/\n$/, "").split("\n").map(line));
      say("");
    } catch (e) {
      say(said(e, ""));
    }
  }

  function say(words) {
    note.hidden = !words;
    text(note, words);
    from.hidden = !whole;
    code.hidden = !whole || !pane.hidden;
    save.disabled = find.disabled = !whole;
  }

  function seek() {
    const word = find.value.toLowerCase();
    let first = null;
    for (const l of code.children) {
      const hit = word && l.textContent.toLowerCase().includes(word);
      l.classList.toggle("lit", !!hit);
      if (hit && !first) first = l;
    }
    if (first) first.scrollIntoView({ block: "center" });
  }

  // The lists of config.check and system.reload, with a sign and a word each.
  function changes(r, kinds) {
    const items = kinds.flatMap(([key, name, words]) => (r[key] || []).map((x) =>
      h("li", { class: key === "removed" || key === "failed" ? "bad-text" : null }, icon(name), h("b", null, typeof x === "string" ? x : JSON.stringify(x)), h("span", { class: "muted" }, words))));
    return items.length ? h("ul", { class: "diff" }, items) : null;
  }

  const kinds = [["added", "plus", "would be added"], ["removed", "minus", "would be removed"], ["changed", "change", "would be changed"], ["restarted", "restart", "would be restarted"]];
  const done = [["added", "plus", "was added"], ["removed", "minus", "was removed"], ["changed", "change", "was changed"], ["restarted", "restart", "was restarted"], ["refreshed", "check", "uses the files as they are now"]];

  function found(title, ok, ...parts) {
    result.hidden = false;
    result.replaceChildren(h("div", { class: "toolbar" }, icon(ok ? "up" : "failed"), h("b", null, title),
      h("button", { class: "quiet bare push", "aria-label": "Close", onclick: () => { result.hidden = true; } }, icon("close"))), ...parts.filter(Boolean));
    result.scrollIntoView({ block: "nearest" });
  }

  async function busy(button, fn) {
    button.disabled = true;
    try {
      await fn();
    } catch (e) {
      found(said(e, "There was no answer in time"), false);
    } finally {
      button.disabled = false;
    }
  }

  // what: "The file on disk"; params: what else is asked
  async function ask(what, params) {
    if (model.param("config.check", "dump")) params = { ...params, dump: true };
    const r = await rpc("config.check", params, { order: true });
    const list = changes(r, kinds);
    if (!r.ok || (r.errors && r.errors.length))
      return found(`${what} is wrong; what runs goes on as it is`, false, mistakes(r.errors || [], "text" in params), list);
    const now = r.text !== undefined && await rpc("config.get");
    found(list ? `${what} is right. It differs from what runs:` : `${what} is right, and is what runs`, true,
      list, now && compared(now.text, r.text));
  }

  // Each mistake with its place; one in the text that was pasted leads there.
  function mistakes(errors, pasted) {
    const own = path.textContent;
    return h("ol", { class: "mistakes" }, errors.map((e) => {
      const m = e.startsWith(`${own}:`) ? /^(\d+):(\d+): ([^]*)$/.exec(e.slice(own.length + 1)) : null;
      if (!m) return h("li", null, icon("failed"), h("span", null, e));
      const place = `line ${m[1]}, column ${m[2]}`;
      return h("li", null, icon("failed"), pasted
        ? h("button", { class: "quiet", onclick: () => goTo(Number(m[1]), Number(m[2])) }, place)
        : h("b", null, place), h("span", null, m[3]));
    }));
  }

  function goTo(lineNo, column) {
    const lines = area.value.split("\n");
    const start = lines.slice(0, lineNo - 1).reduce((n, l) => n + l.length + 1, 0);
    const end = start + (lines[lineNo - 1] || "").length;
    area.focus();
    area.setSelectionRange(Math.min(start + column - 1, end), end);
    area.scrollTop = Math.max(0, (lineNo - 5) * parseFloat(getComputedStyle(area).lineHeight));
    pane.scrollIntoView({ block: "nearest" });
  }

  function showPaste(on) {
    pane.hidden = !on;
    paste.setAttribute("aria-expanded", on);
    result.hidden = true;
    say(note.textContent);
    if (on) area.focus();
  }

  async function take(file) {
    if (!file) return;
    if (file.size > MOST_BYTES) return found(`${file.name} is too long to be checked here; holdfastd -t checks it`, false);
    area.value = await file.text();
    area.focus();
  }

  const doCheck = () => { showPaste(false); return busy(check, () => ask("The file on disk", {})); };

  const doText = () => busy(checkText, async () => {
    if (!area.value.trim()) return found("There is no text yet", false);
    if (JSON.stringify(area.value).length > MOST_BYTES) return found("The text is too long to be checked here; holdfastd -t checks it as a file", false);
    await ask("This text", { text: area.value });
  });

  const doReload = () => busy(reload, async () => {
    if (!await confirmed("Reload the configuration?", "What the file changes takes effect, and certificates, keys and lists of who is trusted are read again. Only what has changed is restarted, and no connection is closed that the file still wants; Check the file tells what. A wrong file changes nothing.", "Reload")) return;
    let r;
    try {
      r = await rpc("system.reload", {}, { order: true });
    } catch (e) {
      if (!(e instanceof RpcError)) throw e;
      return found("Not reloaded; what runs goes on as it is", false, h("p", { class: "bad-text" }, e.message));
    }
    const failed = Object.entries(r.failed || {});
    found(failed.length ? "Reloaded; not everything took it" : "Reloaded", !failed.length, changes(r, done) || h("p", { class: "muted" }, "Nothing in it had changed."),
      failed.length && h("ul", { class: "diff" }, failed.map(([k, v]) => h("li", { class: "bad-text" }, icon("failed"), h("b", null, k), v))));
    load();
    model.refresh().catch(() => {});
  });

  const doSnapshot = () => busy(snap, async () => {
    const r = await rpc("snapshot.save", {}, { order: true });
    toast(`${plural(r.devices, "device")} saved to ${r.path}`, "good");
  });

  const end = model.on("ready", load);
  ready().then(load);
  return {
    el,
    search() { find.focus(); find.select(); },
    destroy: end,
  };
}
