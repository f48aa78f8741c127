// SPDX-License-Identifier: Apache-2.0
// Makes elements. No HTML is ever parsed: what comes from the daemon, peers'
// names and log lines included, is text and stays text.

import { icons } from "./icons.js";

// h("p", { class: "x", onclick: f }, "text", child, [more]); null and false
// are left out. A property that begins with "on" is a listener.
export function h(tag, props, ...kids) {
  const el = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (value == null || value === false) continue;
    if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked") el[key] = value;
    else el.setAttribute(key, value === true ? "" : value);
  }
  add(el, kids);
  return el;
}

function add(el, kids) {
  for (const kid of kids) {
    if (kid == null || kid === false) continue;
    if (Array.isArray(kid)) add(el, kid);
    else el.append(kid);
  }
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, props, ...kids) {
  const el = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(props || {}))
    el.setAttribute(key, value);
  el.append(...kids);
  return el;
}

// An icon says nothing to a screen reader: the words beside it do.
export function icon(name) {
  const el = svg("svg", {
    class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true",
  });
  for (const d of icons[name] || icons.dot) el.append(svg("path", { d }));
  el.dataset.icon = name;
  return el;
}

export function setIcon(el, name) {
  if (el.dataset.icon === name) return;
  el.dataset.icon = name;
  el.replaceChildren(...(icons[name] || icons.dot).map((d) => svg("path", { d })));
}

// Sets text only where it differs: no layout for what stayed the same.
export function text(el, value) {
  value = String(value);
  if (el.firstChild && el.firstChild === el.lastChild &&
      el.firstChild.nodeType === 3) {
    if (el.firstChild.data !== value) el.firstChild.data = value;
  } else if (el.textContent !== value || el.firstElementChild) {
    el.textContent = value;
  }
}

// Rows that stay the same elements as long as their key does, so that focus,
// selection and scroll positions survive an update.
export class Keyed {
  constructor(parent, make, update) {
    Object.assign(this, { parent, make, update, rows: new Map() });
  }

  set(items, keyOf) {
    const seen = new Set();
    let at = this.parent.firstElementChild;
    for (const item of items) {
      const key = keyOf(item);
      let el = this.rows.get(key);
      if (!el) {
        el = this.make(item, key);
        this.rows.set(key, el);
      }
      seen.add(key);
      if (el === at) at = at.nextElementSibling;
      else this.parent.insertBefore(el, at);
      this.update(el, item, key);
    }
    for (const [key, el] of this.rows) {
      if (seen.has(key)) continue;
      el.remove();
      this.rows.delete(key);
    }
  }
}

// What is said aloud: alarms only (see index.html's live region).
let aloud = "";

export function announce(words) {
  const live = document.getElementById("live");
  live.textContent = "";
  aloud = words;
  // a region that is set to the same words twice is read once
  setTimeout(() => { if (aloud === words) live.textContent = words; }, 30);
}

// What no longer holds is not to be found there either.
function hush(words) {
  if (aloud !== words) return;
  aloud = "";
  document.getElementById("live").textContent = "";
}

// Takes it away once it could be read for so long: the time counts in which the
// page was shown and drew, and nobody held on to it.
function expire(el, ms, gone) {
  const STEP = 250;
  const timer = setInterval(() => {
    if (document.hidden || el.matches(":hover, :focus-within")) return;
    ms -= STEP;
    if (ms <= 0) gone();
    if (!el.isConnected) clearInterval(timer);
  }, STEP);
}

// A line at the foot of the page that goes by itself, with one thing to do.
// Returns what takes it away before.
export function toast(words, kind = "info", action = null) {
  const host = document.getElementById("toasts");
  // said again, it stands there once
  for (const old of host.children) if (old.children[1].textContent === words) old.remove();
  const el = h("div", { class: `toast ${kind}` },
    icon(kind === "bad" ? "failed" : kind === "good" ? "up" : "info"),
    h("span", null, words));
  const gone = () => {
    if (el.isConnected && kind === "bad") hush(words);
    el.remove();
  };
  if (action)
    el.append(h("button", {
      class: "quiet", onclick: () => { gone(); action.run(); },
    }, action.label));
  el.append(h("button", {
    class: "quiet bare", "aria-label": "Dismiss", onclick: gone,
  }, icon("close")));
  host.append(el);
  while (host.children.length > 2) host.firstChild.remove();
  expire(el, kind === "bad" || action ? 8000 : 4000, gone);
  // what it offers is of the screen that it was said on
  if (action) addEventListener("hashchange", gone, { once: true });
  if (kind === "bad") announce(words);
  return gone;
}

// Says that an address leads nowhere, until one is gone to that leads somewhere.
export function stray(words) {
  const gone = toast(words, "bad");
  addEventListener("hashchange", gone, { once: true });
  return gone;
}

// Asks before something that others will notice. Resolves to true or false.
export function confirmed(question, detail, verb) {
  return new Promise((done) => {
    const dialog = h("dialog", { class: "ask", "aria-labelledby": "ask-title" },
      h("h2", { id: "ask-title" }, question),
      detail && h("p", null, detail),
      h("form", { method: "dialog", class: "buttons" },
        h("button", { value: "no", class: "quiet" }, "Cancel"),
        h("button", { value: "yes", class: "danger" }, verb)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export function download(name, type, data) {
  const url = URL.createObjectURL(new Blob([data], { type }));
  const a = h("a", { href: url, download: name });
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
