// SPDX-License-Identifier: Apache-2.0
// Faults: what is being injected, and injecting more. Every effect
// and every selector of faults.add has a field; the sentence beneath says what
// pressing the button will do before it is pressed.

import { h, icon, text, toast, confirmed, Keyed } from "../dom.js";
import { rpc, Gone, said } from "../rpc.js";
import { model, ready } from "../model.js";
import { count, duration, plural } from "../formats.js";
import { describeFault, whom, what, exceptions, exceptionCode } from "../faultwords.js";

const number = (id, label, min, max, hint, step = 1) => ({ id, label, min, max, hint, step, kind: "number" });
const check = (id, label) => ({ id, label, kind: "check" });

const selectors = [
  { id: "transport", label: "Transport", kind: "transport" },
  { id: "connection", label: "Connection", kind: "text", hint: "id as on Clients" },
  number("unit", "Unit", 0, 255, "any"),
  { id: "fc", label: "Functions", kind: "text", hint: "any; 3, 16", title: "function codes, with commas" },
  { id: "range", label: "Addresses", kind: "text", hint: "any; hr:100+4", title: "hr:100+4, or 100-103 in any table" },
];
const effects = [
  { id: "exception", label: "Exception instead", kind: "exception", hint: "none; 1 to 255", title: "a code from 1 to 255, or a name" },
  number("delay_ms", "Late by, ms", 1, 600000, "not"),
  number("junk_bytes", "Random bytes instead", 1, 512, "none"),
  number("split_ms", "In two parts, ms apart", 1, 600000, "whole"),
  number("change_pct", "Other values, % of the registers or bits", 0.0001, 100, "none", "any"),
  number("change_rate_pct", "Other values, in % of the replies", 0.0001, 100, "all", "any"),
  check("drop", "No reply at all"), check("wrong_unit", "Wrong unit"), check("bad_crc", "Wrong checksum"),
];
const limits = [
  number("rate_pct", "Of the requests, %", 0.0001, 100, "100", "any"),
  number("count", "So many times, then gone", 1, 1e12, "no limit"),
  number("expires_s", "Gone after, s", 0.001, 31622400, "never", "any"),
  { id: "note", label: "Why", kind: "text", hint: "for whoever finds it" },
];

export function create() {
  const inputs = {};
  const body = h("tbody");
  const empty = h("div", { class: "empty" }, icon("up"), " No fault is being injected.");
  const table = h("table", { class: "plain stack" }, h("thead", null, h("tr", null,
    ["", "Which requests", "What they get instead", "Share", "Hits", "Left", "Ends in", "By", ""].map((t, i) =>
      h("th", { scope: "col", class: i > 2 && i < 7 ? "num" : null }, t || h("span", { class: "sr" }, i ? "What to do" : "Number"))))), body);
  const clearAll = h("button", { class: "danger", onclick: () => clear() }, icon("close"), "Clear all");
  const sentence = h("p", { class: "sentence", "aria-live": "off" });
  const problem = h("p", { class: "bad-text", role: "alert", hidden: true });
  const add = h("button", { class: "primary", id: "fault-add" }, icon("faults"), "Start the fault");
  const note = h("p", { class: "note", hidden: true });
  const form = h("form", { onsubmit: submit, oninput: () => say(), onchange: () => say() },
    h("fieldset", null, h("legend", null, "Which requests"), h("div", { class: "form" }, selectors.map(field))),
    h("fieldset", null, h("legend", null, "What they get instead"), h("div", { class: "form" }, effects.map(field))),
    h("fieldset", null, h("legend", null, "How often, how long"), h("div", { class: "form" }, limits.map(field))),
    sentence, problem,
    h("div", { class: "buttons" }, h("button", { type: "reset", class: "quiet", onclick: () => setTimeout(say) }, "Empty the form"), add));
  const el = h("div", { class: "screen" }, h("h1", { class: "sr" }, "Faults"), note,
    h("section", { class: "panel", "aria-label": "Active rules" }, h("div", { class: "toolbar" }, h("h2", null, "Active"), h("span", { class: "push" }, clearAll)), table, empty),
    h("section", { class: "panel", "aria-label": "New rule" }, h("h2", null, "New rule"), form));

  function field(f) {
    const id = `f-${f.id}`;
    let input;
    if (f.kind === "check") {
      input = h("input", { type: "checkbox", id, name: f.id });
      inputs[f.id] = input;
      return h("div", null, h("label", { class: "check", for: id }, input, f.label));
    }
    if (f.kind === "exception")
      input = h("input", { id, name: f.id, list: "f-exceptions", placeholder: f.hint, title: f.title, autocomplete: "off", spellcheck: "false" });
    else if (f.kind === "transport") input = h("select", { id, name: f.id });
    else if (f.kind === "number")
      input = h("input", { type: "number", id, name: f.id, min: f.min, max: f.max, step: f.step, placeholder: f.hint, inputmode: "decimal" });
    else input = h("input", { id, name: f.id, placeholder: f.hint, title: f.title, autocomplete: "off", spellcheck: "false" });
    inputs[f.id] = input;
    return h("div", null, h("label", { for: id }, f.label), input, f.kind === "exception" &&
      h("datalist", { id: "f-exceptions" }, Object.entries(exceptions).map(([code, words]) => h("option", { value: `${code} ${words}` }))));
  }

  // The form as parameters of faults.add. Throws a sentence.
  function rule() {
    const r = {};
    for (const f of [...selectors, ...effects, ...limits]) {
      const input = inputs[f.id], v = input.value.trim();
      if (f.kind === "check") { if (input.checked) r[f.id] = true; continue; }
      if (v === "") { if (input.validity.badInput) throw new Error(`${f.label}: a number is wanted`); continue; }
      if (f.kind === "number") {
        const n = Number(v);
        if (!Number.isFinite(n) || n < f.min || n > f.max) throw new Error(`${f.label}: from ${f.min} to ${f.max}`);
        r[f.id] = n;
      } else if (f.id === "exception") {
        r.exception = exceptionCode(v);
        if (!r.exception) throw new Error(`${f.label}: a code from 1 to 255, or a name as "server device busy"`);
      }
      else if (f.id === "fc") r.fc = codes(v);
      else if (f.id === "range") r.range = range(v);
      else r[f.id] = v;
    }
    if ("change_rate_pct" in r && !("change_pct" in r))
      throw new Error("Other values: say also in what share of the registers or bits");
    if (!effects.some((f) => f.id in r)) throw new Error("");
    return r;
  }

  function codes(v) {
    const list = v.split(/[\s,]+/).filter(Boolean).map(Number);
    if (list.some((n) => !Number.isInteger(n) || n < 1 || n > 127)) throw new Error("Functions: codes from 1 to 127, with commas");
    return list.length === 1 ? list[0] : list;
  }

  function range(v) {
    const m = /^(\d+)\s*[-–]\s*(\d+)$/.exec(v) || (/^\d+$/.test(v) ? [v, v, v] : null);
    if (!m) return v; // as the command line writes it; the daemon knows
    if (Number(m[1]) > Number(m[2]) || Number(m[2]) > 65535) throw new Error("Addresses: first and last, up to 65535");
    return [Number(m[1]), Number(m[2])];
  }

  function say() {
    const why = model.whyNot("faults.add");
    problem.hidden = true;
    add.disabled = true;
    add.title = why;
    try {
      const r = rule();
      const ends = [r.count && `${count(r.count)} times`, r.expires_s && `for ${duration(r.expires_s)}`].filter(Boolean).join(", at most ");
      text(sentence, `Of ${whom(r)}${r.rate_pct && r.rate_pct < 100 ? `, ${r.rate_pct} % of the requests` : ""}: ${what(r)}${ends ? `, ${ends}` : ", until it is cleared"}.`);
      add.disabled = !!why;
    } catch (e) {
      text(sentence, e.message || "Choose at least one thing that they get instead.");
    }
  }

  async function submit(e) {
    e.preventDefault();
    let r;
    try {
      r = rule();
    } catch (err) {
      return text(sentence, err.message);
    }
    if (!r.transport && !r.connection && r.unit == null && r.fc == null && !r.range && !r.count && !r.expires_s &&
        !await confirmed("Inject this fault everywhere?", "The rule names no requests and has no end: it concerns every client of every transport until it is cleared.", "Inject it"))
      return;
    try {
      const { id } = await rpc("faults.add", r, { order: true });
      toast(`Rule ${id}: ${describeFault(r)}`, "good", { label: "Clear it", run: () => clear(id) });
      form.reset();
      say();
    } catch (err) {
      problem.hidden = false;
      text(problem, said(err, "No answer: whether it was added is not known."));
    }
    model.refresh().catch(() => {});
  }

  async function clear(id) {
    try {
      const { cleared } = await rpc("faults.clear", id == null ? {} : { id }, { order: true });
      toast(id == null ? `${plural(cleared, "rule")} cleared` : `Rule ${id} is cleared`, "good");
    } catch (e) {
      toast(said(e, "No answer: whether it was cleared is not known."), "bad");
    }
    model.refresh().catch(() => {});
  }

  const rows = new Keyed(body, (r) => {
    const p = { hits: h("td", { class: "num live", "data-label": "hits" }), left: h("td", { class: "num live", "data-label": "left" }), ends: h("td", { class: "num live", "data-label": "ends in" }),
      clear: h("button", { class: "quiet", onclick: () => clear(r.id), "aria-label": `Clear rule ${r.id}` }, icon("close"), "Clear") };
    const el = h("tr", { "data-rule": r.id }, h("td", { class: "muted", "data-label": "rule" }, String(r.id)), h("th", { scope: "row" }, whom(r)),
      h("td", null, icon("faults"), " ", what(r), r.note && h("span", { class: "muted note-of" }, ` · ${r.note}`)),
      h("td", { class: "num", "data-label": "share" }, `${r.rate_pct == null ? 100 : r.rate_pct} %`), p.hits, p.left, p.ends,
      h("td", { class: "muted", "data-label": "by" }, r.by || ""), h("td", null, h("div", { class: "actions" }, p.clear)));
    el.parts = p;
    return el;
  }, (el, r) => {
    const p = el.parts;
    text(p.hits, count(r.hits));
    text(p.left, r.left == null ? "–" : count(r.left));
    text(p.ends, r.expires_in_s == null ? "–" : duration(r.expires_in_s));
    model.allow(p.clear, "faults.clear");
  });

  function show() {
    const known = model.knows("faults.list");
    note.hidden = known || !model.pid;
    text(note, "This daemon cannot inject faults.");
    rows.set(model.faults, (r) => r.id);
    table.hidden = model.faults.length === 0;
    empty.hidden = model.faults.length > 0;
    clearAll.hidden = model.faults.length === 0;
    clearAll.disabled = !model.may("faults.clear");
    const names = ["", ...model.transports.map((t) => t.name)];
    if (inputs.transport.options.length !== names.length)
      inputs.transport.replaceChildren(...names.map((n) => h("option", { value: n }, n || "any")));
  }

  const end = model.on("status", show);
  ready().then(() => { show(); say(); });
  show();
  say();
  return {
    el,
    // #/faults?transport=tcp1&fc=3 fills the form
    route(_, query) {
      for (const [k, v] of query) {
        const input = inputs[k];
        if (!input) continue;
        if (input.type === "checkbox") input.checked = v !== "" && v !== "0" && v !== "false";
        else input.value = v;
      }
      say();
    },
    search() { inputs.transport.focus(); },
    destroy: end,
  };
}
