// SPDX-License-Identifier: Apache-2.0
// Configuration: what is in force, whether the file on disk is right, what a
// restart with it would change, and the reload, which takes over what needs no
// restart: certificates and who is trusted.

import { h, icon, text, toast, confirmed, download } from "../dom.js";
import { rpc, RpcError, Gone } from "../rpc.js";
import { model, ready } from "../model.js";

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

export function create() {
  const path = h("code");
  const from = h("span", { class: "muted", hidden: true }, "In force, from ", path);
  const code = h("pre", { class: "code", tabindex: 0, "aria-label": "Effective configuration" });
  const result = h("section", { class: "panel", hidden: true, "aria-label": "What was found", "aria-live": "polite" });
  const note = h("p", { class: "note", hidden: true });
  const button = (id, name, label, fn) => h("button", { "data-do": id, onclick: fn }, icon(name), label);
  const check = button("check", "check", "Check the file", () => doCheck());
  const reload = button("reload", "restart", "Reload", () => doReload());
  const save = h("button", { class: "quiet", onclick: () => download("holdfast.json", "application/json", whole) }, icon("csv"), "Download");
  const snap = h("button", { class: "quiet", "data-do": "snapshot", onclick: () => doSnapshot() }, icon("csv"), "Snapshot of the registers");
  const find = h("input", { type: "search", placeholder: "find in the text", "aria-label": "Find in the configuration", oninput: () => seek() });
  let whole = "";
  const el = h("div", { class: "screen full" }, h("h1", { class: "sr" }, "Configuration"),
    h("div", { class: "toolbar" }, check, reload, h("span", { class: "field" }, icon("search"), find), from, h("span", { class: "push field" }, snap, save)),
    note, result, code);

  async function load() {
    for (const [b, method] of [[check, "config.check"], [reload, "system.reload"], [snap, "snapshot.save"]]) {
      const why = model.whyNot(method);
      b.disabled = !!why;
      b.title = why;
    }
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
      say(e instanceof Gone ? "" : e.message);
    }
  }

  function say(words) {
    note.hidden = !words;
    text(note, words);
    code.hidden = from.hidden = !whole;
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
  // What config.check lists a reload refuses: it needs a restart.
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
  }

  async function busy(button, fn) {
    button.disabled = true;
    try {
      await fn();
    } catch (e) {
      found(e instanceof Gone ? "There was no answer in time" : e.message, false);
    } finally {
      button.disabled = false;
    }
  }

  const doCheck = () => busy(check, async () => {
    const r = await rpc("config.check", {}, { order: true });
    const list = changes(r, kinds);
    if (!r.ok || (r.errors && r.errors.length))
      return found("The file on disk is wrong; what runs goes on as it is", false, h("pre", { class: "bad-text" }, (r.errors || []).join("\n")), list);
    found(list ? "The file on disk is right. It differs from what runs, which needs a restart of holdfastd:" : "The file on disk is right, and is what runs", true, list);
  });

  const doReload = () => busy(reload, async () => {
    if (!await confirmed("Reload the configuration?", "Certificates, keys and lists of who is trusted are read again and take effect. A device, a transport or a key that has changed in the file needs a restart of holdfastd; Check the file tells which. A wrong file changes nothing.", "Reload")) return;
    let r;
    try {
      r = await rpc("system.reload", {}, { order: true });
    } catch (e) {
      if (!(e instanceof RpcError) || !/restart/.test(e.message)) throw e;
      const list = await rpc("config.check", {}, { order: true }).then((c) => changes(c, kinds)).catch(() => null);
      return found("The file has changed, which needs a restart of holdfastd; what runs goes on as it is", false, list);
    }
    const failed = Object.entries(r.failed || {});
    found(failed.length ? "Reloaded; not everything took it" : "Reloaded", !failed.length, changes(r, done) || h("p", { class: "muted" }, "Nothing in it had changed."),
      failed.length && h("ul", { class: "diff" }, failed.map(([k, v]) => h("li", { class: "bad-text" }, icon("failed"), h("b", null, k), v))));
    load();
    model.refresh().catch(() => {});
  });

  const doSnapshot = () => busy(snap, async () => {
    const r = await rpc("snapshot.save", {}, { order: true });
    toast(`${r.devices} device${r.devices === 1 ? "" : "s"} saved to ${r.path}`, "good");
  });

  const onReady = () => load();
  model.addEventListener("ready", onReady);
  ready().then(load);
  return {
    el,
    search() { find.focus(); find.select(); },
    destroy() { model.removeEventListener("ready", onReady); },
  };
}
