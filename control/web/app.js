// SPDX-License-Identifier: Apache-2.0
// The frame of the page: which screen is shown, the bar with what the daemon
// is doing, the banners, the keyboard. Each screen is a file of its own that
// is fetched when it is first wanted, and exports
//   create(ctx) -> { el, route(parts, query)?, search()?, key(event)?, destroy()? }

import { h, icon, text, announce, toast, stray } from "./dom.js";
import { link, token, rpc } from "./rpc.js";
import { model, ready } from "./model.js";
import { count, rate, duration, clock, plural } from "./formats.js";
import { describeFault } from "./faultwords.js";
import { recorder } from "./pins.js";
import { watchAlarms } from "./alarms.js";

const screens = [
  ["overview", "Overview", "o"],
  ["registers", "Registers", "r"],
  ["charts", "Charts", "c"],
  ["transports", "Transports", "t"],
  ["clients", "Clients", "k"],
  ["traffic", "Traffic", "w"],
  ["faults", "Faults", "f"],
  ["log", "Log", "l"],
  ["configuration", "Configuration", "e"],
];

const $ = (id) => document.getElementById(id);
const main = $("main"), nav = $("nav");
let current = null, shown = "", generation = 0;

// Navigation

function buildNav() {
  nav.append(h("ul", null, screens.map(([id, label, key]) =>
    h("li", null, h("a", { href: `#/${id}`, "data-screen": id,
      "aria-keyshortcuts": `g ${key}` },
      icon(id), h("span", { class: "nav-label" }, label),
      id === "faults" && h("span", { class: "nav-badge", id: "nav-faults" }),
      h("kbd", { class: "nav-key", "aria-hidden": "true" }, key))))));
  const menu = $("menu");
  menu.append(icon("menu"));
  menu.onclick = () => openNav(!document.body.classList.contains("nav-open"));
  nav.addEventListener("click", () => openNav(false));
  main.addEventListener("mousedown", () => openNav(false));
}

function openNav(open) {
  document.body.classList.toggle("nav-open", open);
  $("menu").setAttribute("aria-expanded", open);
  if (open) (nav.querySelector("[aria-current]") || nav.querySelector("a")).focus();
}

function parse() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").map((p) => {
    try { return decodeURIComponent(p); } catch { return p; }
  });
  return { parts, query: new URLSearchParams(query || "") };
}

// Changes what the address bar says without showing the screen anew.
export function address(parts, query = {}) {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(query)) if (v !== "" && v != null) q.set(k, v);
  const hash = "#/" + parts.map((p) => encodeURIComponent(p)).join("/") +
    (q.size ? `?${q}` : "");
  if (hash !== location.hash) history.replaceState(null, "", hash);
}

async function show() {
  const { parts, query } = parse();
  const found = screens.find(([id]) => id === parts[0]);
  const id = found ? found[0] : "overview";
  const mine = ++generation;
  if (!found && parts[0]) {
    stray(`There is no screen ${parts[0]}.`);
    address([id]);
  }
  if (id !== shown) {
    const module = await import(`./screens/${id}.js`);
    await (model.pid ? null : Promise.race([ready(), new Promise((r) => setTimeout(r, 1500))]));
    if (mine !== generation) return;
    if (current && current.destroy) current.destroy();
    shown = id;
    current = module.create({ address });
    main.replaceChildren(current.el);
    main.dataset.screen = id;
    main.scrollTop = 0;
    document.title = `${(found || screens[0])[1]} · Holdfast`;
    for (const a of nav.querySelectorAll("a"))
      if (a.dataset.screen === id) a.setAttribute("aria-current", "page");
      else a.removeAttribute("aria-current");
  }
  const named = ["transports", "clients", "traffic"].includes(id) && parts[1];
  if (named && model.transports.length && !model.transports.some((t) => t.name === named)) {
    stray(`There is no transport ${named}.`);
    address([id]);
    parts.length = 1;
  }
  if (current.route) current.route(found ? parts.slice(1) : [], query);
}

// The bar

const figure = (id, label, title) => {
  const value = h("span", { class: "v live", id: `fig-${id}` }, "–");
  return h("div", { class: `figure fig-${id}`, title }, value, h("span", { class: "k" }, label));
};

let roleButton, themeButton;

function buildBar() {
  $("figures").append(
    figure("transports", "transports up", "transports that serve, of all"),
    figure("rate", "requests/s", "of all transports"),
    figure("exceptions", "exceptions/s", "replies that are exceptions, of all transports"),
    figure("clients", "clients", "open connections"),
    figure("saved", "saved ago", "since the registers were saved last"),
    figure("uptime", "uptime", "since the daemon was started"));
  roleButton = h("button", { class: "quiet chip", onclick: () => askToken() });
  themeButton = h("button", { class: "quiet bare", onclick: nextTheme }, icon("theme"));
  $("tools").append(roleButton, themeButton,
    h("button", { class: "quiet bare", "aria-label": "Help: keys and links",
      title: "Help (?)", onclick: help }, icon("help")));
  sayTheme();
  sayLink();
}

// Only where the daemon saves registers by itself.
function saySaved(saved) {
  const box = $("fig-saved").parentElement;
  box.hidden = !saved;
  if (!saved) return;
  const error = saved.error ?? saved.durable?.error;
  const failed = error !== undefined;
  box.classList.toggle("bad", failed || saved.lost);
  text($("fig-saved"), failed ? "failed"
    : saved.age_s === undefined ? "not yet" : duration(saved.age_s));
  box.title = failed ? `the registers cannot be saved: ${error}`
    : saved.lost ? "this start found what was saved damaged, and began with configured values"
    : `since the registers were saved last, in ${saved.path}` +
      (saved.behind_s ? "" : "; nothing has changed since");
}

function sayStatus() {
  const { info, transports, total } = model;
  const up = transports.filter((t) => t.state === "up").length;
  const bad = transports.some((t) => t.state === "failed" || t.state === "backoff");
  text($("where"), info.store);
  $("where").title = `${info.name} ${info.version}, store ${info.store}, pid ${info.pid}`;
  text($("fig-transports"), `${up}/${transports.length}`);
  $("fig-transports").parentElement.classList.toggle("bad", bad);
  text($("fig-rate"), rate(total.requests));
  text($("fig-exceptions"), rate(total.exceptions));
  text($("fig-clients"), count(transports.reduce((n, t) => n + t.connections, 0)));
  text($("fig-uptime"), duration(info.uptime_s));
  saySaved(info.snapshot);
  const role = info.role || "";
  roleButton.hidden = !role || (role === "admin" && !token.get());
  roleButton.replaceChildren(icon(role === "read" ? "lock" : "key"),
    role === "read" ? "read only" : role);
  roleButton.title = "What you may do here; press to give a token";
  document.body.dataset.role = role;
  sayFaults();
}

// Banners

let faultBanner, goneBanner, lastRules = "";

function sayFaults() {
  const n = model.faults.length || model.info.faults || 0;
  const badge = $("nav-faults");
  text(badge, n || "");
  badge.hidden = !n;
  if (!n) {
    if (faultBanner) faultBanner.remove();
    faultBanner = null;
    lastRules = "";
    return;
  }
  const rules = model.faults.slice(0, 3).map(describeFault).join("; ") +
    (model.faults.length > 3 ? `; and ${model.faults.length - 3} more` : "");
  if (!faultBanner) {
    faultBanner = h("div", { class: "banner warn", "data-banner": "faults" }, icon("faults"),
      h("strong"), h("span", { class: "what" }),
      h("a", { href: "#/faults", class: "button quiet" }, "Look"),
      model.may("faults.clear") && h("button", { class: "quiet", onclick: clearFaults }, "Clear all"));
    $("banners").append(faultBanner);
    announce(`${plural(n, "fault rule")} active`);
  }
  text(faultBanner.querySelector("strong"), n > 1 ? `${n} faults are being injected` : "A fault is being injected");
  if (rules !== lastRules) text(faultBanner.querySelector(".what"), lastRules = rules);
}

async function clearFaults() {
  try {
    const { cleared } = await rpc("faults.clear");
    toast(`${plural(cleared, "fault rule")} cleared`, "good");
    model.refresh();
  } catch (e) {
    toast(e.message, "bad");
  }
}

let counting = 0;

function sayLink() {
  const gone = link.state === "gone";
  document.body.classList.toggle("stale", gone);
  if (gone && !goneBanner) {
    goneBanner = h("div", { class: "banner bad", "data-banner": "gone" }, icon("gone"),
      h("strong", null, "No connection to the daemon"), h("span", { class: "what" }));
    $("banners").prepend(goneBanner);
    announce("No connection to the daemon. All values are stale.");
    const since = link.heard;
    const say = () => text(goneBanner.querySelector(".what"), since
      ? `All values are stale: those of ${clock(since / 1000)}, ${duration((Date.now() - since) / 1000)} ago. Trying again …`
      : "Trying again …");
    say();
    counting = setInterval(say, 1000);
  } else if (!gone && goneBanner) {
    clearInterval(counting);
    goneBanner.remove();
    goneBanner = null;
    announce("The connection is back.");
    toast("The connection is back", "good");
  }
}

// Theme

const themes = ["", "light", "dark"];

function nextTheme() {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = root.dataset.theme || (dark ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("holdfast.theme", root.dataset.theme);
  } catch { /* only for now, then */ }
  sayTheme();
  dispatchEvent(new Event("themechange"));
}

function sayTheme() {
  const now = document.documentElement.dataset.theme || themes[0];
  themeButton.title = `Light or dark${now ? `; now ${now}` : "; now as the system has it"} (d)`;
  themeButton.setAttribute("aria-label", "Switch between light and dark");
}

// Token

function askToken(wanted = false) {
  if (document.querySelector("dialog.token")) return;
  const input = h("input", { type: "password", autocomplete: "off", id: "token", spellcheck: "false" });
  const keep = h("input", { type: "checkbox" });
  const dialog = h("dialog", { class: "ask token", "aria-labelledby": "token-title" },
    h("h2", { id: "token-title" }, wanted ? "A token is needed" : "What you may do"),
    h("p", null, wanted
      ? "This daemon lets nobody in without one. Ask whoever runs it."
      : `Your role is ${(model.info && model.info.role) || "unknown"}. A token of another role gives other rights.`),
    h("form", { method: "dialog" },
      h("label", { for: "token" }, "Token"), input,
      h("label", { class: "check" }, keep, "Remember it in this browser"),
      h("div", { class: "buttons" },
        h("button", { value: "cancel", class: "quiet", formnovalidate: true }, "Cancel"),
        token.get() && h("button", { value: "forget", class: "quiet" }, "Forget the token"),
        h("button", { value: "ok", class: "primary", id: "token-ok" }, "Use it"))));
  // Enter in the field is "use it", not the first button
  input.addEventListener("keydown", (e) => {
    if (e.key === "Enter") { e.preventDefault(); dialog.close("ok"); }
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (dialog.returnValue === "ok" && input.value.trim())
      token.set(input.value.trim(), keep.checked);
    if (dialog.returnValue === "forget") token.set("");
  });
  document.body.append(dialog);
  dialog.showModal();
  input.focus();
}

// Keyboard

let chord = 0;

function setChord(on) {
  clearTimeout(chord);
  chord = on ? setTimeout(() => setChord(false), 2500) : 0;
  document.body.classList.toggle("chord", on);
}

const typing = (el) => el.closest("input,textarea,select,[contenteditable]") &&
  !["checkbox", "radio", "button"].includes(el.type);

// The second key of two: of the whole page, before what has the focus has a
// use of its own for it.
function second(e) {
  if (!chord || e.ctrlKey || e.altKey || e.metaKey || typing(e.target) || ["Shift", "Escape"].includes(e.key)) return;
  const to = screens.find(([, , key]) => key === e.key.toLowerCase());
  setChord(false);
  if (!to) return;
  e.preventDefault();
  e.stopPropagation();
  location.hash = `#/${to[0]}`;
  main.focus({ preventScroll: true });
}

function keydown(e) {
  if (e.defaultPrevented || e.altKey || e.metaKey || document.querySelector("dialog[open]")) return;
  if (e.key === "Escape") {
    setChord(false);
    if (document.body.classList.contains("nav-open")) { openNav(false); $("menu").focus(); }
    else if (typing(e.target)) e.target.blur();
    return;
  }
  if (current && current.key && !typing(e.target) && current.key(e)) return e.preventDefault();
  if (e.ctrlKey || typing(e.target)) return;
  if (e.key === "g") {
    setChord(true);
  } else if (e.key === "/" && current && current.search) {
    e.preventDefault();
    current.search();
  } else if (e.key === "?") {
    e.preventDefault();
    help();
  } else if (e.key === "d") {
    nextTheme();
  }
}

const keys = [
  ["g, then", screens.map(([, label, key]) => `${key} ${label}`).join(", ")],
  ["/", "search, filter or jump on this screen"],
  ["?", "this"], ["d", "light or dark"], ["Esc", "out of a field, a menu, a dialog"],
  ["arrows, Page, Home, End", "in a grid; with Ctrl to its first and last row"],
  ["Enter, F2", "registers: edit the value; traffic: open the frame"],
  ["Ctrl+Z, Ctrl+Y", "registers: undo, redo an edit"],
  ["p", "registers: pin to the chart; charts, traffic, log: pause"],
  ["c", "registers: copy the link to this address"],
];

function help() {
  const dialog = h("dialog", { class: "ask help", "aria-labelledby": "help-title" },
    h("h2", { id: "help-title" }, "Keys"),
    h("dl", { class: "keys" }, keys.map(([k, what]) => [h("dt", null, h("kbd", null, k)), h("dd", null, what)])),
    h("p", { class: "muted" }, "Every screen has an address that can be kept and sent: ",
      h("code", null, "#/registers/plc1/hr/100?fmt=f32")),
    h("p", { class: "muted" }, "Other doors to the same daemon: ",
      h("a", { href: "metrics" }, "metrics"), ", ", h("a", { href: "healthz" }, "health"), ", ",
      h("a", { href: "api/registers" }, "plain pages"), "."),
    h("form", { method: "dialog", class: "buttons" }, h("button", { class: "primary" }, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

buildNav();
buildBar();
link.addEventListener("change", sayLink);
link.addEventListener("unauthorized", () => askToken(true));
model.addEventListener("status", sayStatus);
addEventListener("hashchange", show);
addEventListener("keydown", second, true);
addEventListener("keydown", keydown);
model.start();
watchAlarms();
recorder.start();
show();
