// SPDX-License-Identifier: Apache-2.0
// What every screen shares: who the daemon is, its transports once a second
// with their rates, what it can do and what we may. Emits "status" once a
// second and "ready" once its methods are known.

import { rpc, every, link } from "./rpc.js";

const KEEP = 180; // seconds of rates that are kept
const HAPPENED = 24; // things that happened
const ROLES = ["read", "operate", "admin"];

class Model extends EventTarget {
  constructor() {
    super();
    this.info = null;
    this.methods = new Map();
    this.transports = [];
    this.devices = [];
    this.rates = new Map(); // name -> { requests, exceptions, errors, history }
    this.total = { requests: null, exceptions: null, errors: null, history: [] };
    this.faults = [];
    this.pid = 0;
    this.counted = -1000;
    this.happened = []; // the newest first
  }

  // Something that happened, for the overview.
  note(at, icon, line) {
    this.happened.unshift({ at, icon, line });
    this.happened.length = Math.min(this.happened.length, HAPPENED);
    this.dispatchEvent(new Event("happened"));
  }

  // The same of what happened while nobody listened; what has been heard of is
  // there already, in the same words as far as they begin alike.
  recall(list) {
    const head = (e) => e.line.split(":")[0];
    const fresh = list.filter((e) => !this.happened.some((o) => Math.abs(o.at - e.at) < 2 && head(o) === head(e)));
    // of one moment, the later first
    this.happened = [...this.happened, ...fresh.reverse()].sort((a, b) => b.at - a.at).slice(0, HAPPENED);
    this.dispatchEvent(new Event("happened"));
  }

  knows(method) {
    return this.methods.has(method);
  }

  // may we call it? Unknown roles are let try: the daemon has the last word
  may(method) {
    const m = this.methods.get(method);
    if (!m) return false;
    const mine = this.info && this.info.role;
    return !mine || ROLES.indexOf(mine) >= ROLES.indexOf(m.role);
  }

  // why not, as a sentence, or ""
  whyNot(method) {
    const m = this.methods.get(method);
    if (!m) return `This daemon does not know ${method}.`;
    if (this.may(method)) return "";
    return `Needs the role ${m.role}; yours is ${this.info.role}.`;
  }

  // Makes a button one that may be pressed, or says why not.
  allow(button, method, title = "") {
    const why = this.whyNot(method);
    button.disabled = !!why;
    button.title = why || title;
    return !why;
  }

  // Listens; returns what ends it.
  on(what, fn) {
    const heard = () => fn();
    this.addEventListener(what, heard);
    return () => this.removeEventListener(what, heard);
  }

  param(method, name) {
    const m = this.methods.get(method);
    return !!m && !!m.params && name in m.params;
  }

  get readOnly() {
    return !!this.info && this.info.role === "read";
  }

  start() {
    const fresh = () => {
      this.pid = 0;
      this.refresh();
    };
    link.addEventListener("token", fresh);
    every(1000, () => this.refresh());
  }

  async refresh() {
    const asked = [rpc("system.info"), rpc("transports.list")];
    if (this.knows("faults.list")) asked.push(rpc("faults.list"));
    const [info, transports, faults] = await Promise.all(asked);
    const now = performance.now();
    const anew = info.pid !== this.pid;
    this.info = info;
    if (anew) await this.learn(info);
    this.count(transports, now);
    this.transports = transports;
    this.faults = faults || [];
    this.dispatchEvent(new Event("status"));
  }

  async learn(info) {
    const [methods, devices] = await Promise.all([
      rpc("system.methods"), rpc("devices.list"),
    ]);
    this.methods = new Map(methods.map((m) => [m.name, m]));
    this.devices = devices;
    this.pid = info.pid;
    this.rates.clear();
    this.dispatchEvent(new Event("ready"));
  }

  // Counters become rates; a counter that fell belongs to a new daemon. A rate
  // that is not known yet is null, and no point of a history.
  count(transports, now) {
    // asked twice at once, as after an event: too short to say anything by
    if (now - this.counted < 500) return;
    this.counted = now;
    const none = transports.length ? null : 0;
    const total = { requests: none, exceptions: none, errors: none };
    for (const t of transports) {
      let r = this.rates.get(t.name);
      if (!r) this.rates.set(t.name, r = { history: [], at: 0 });
      const s = (now - r.at) / 1000;
      for (const key of ["requests", "exceptions", "errors"]) {
        const per = r.at && t[key] >= r.was[key] ? (t[key] - r.was[key]) / s : null;
        r[key] = per;
        if (per !== null) total[key] += per;
      }
      if (r.requests !== null) r.history.push(r.requests);
      if (r.history.length > KEEP) r.history.shift();
      r.was = t;
      r.at = now;
    }
    this.total = { ...total, history: this.total.history };
    if (total.requests !== null) this.total.history.push(total.requests);
    if (this.total.history.length > KEEP) this.total.history.shift();
  }
}

const words = {
  up: "up", stopped: "stopped", starting: "starting", draining: "draining",
  backoff: "waiting to start again", failed: "failed",
};

export function stateWords(t) {
  return t.line === "lost" ? "waiting for its line" : words[t.state] || t.state;
}

export function stateIcon(t) {
  return t.line === "lost" ? "backoff" : t.state;
}

export function stateClass(t) {
  if (t.state === "failed") return "bad";
  if (t.state === "backoff" || t.line === "lost") return "warn";
  return t.state === "up" ? "ok" : "idle";
}

export const model = new Model();

// Waits until the daemon's methods and devices are known.
export function ready() {
  if (model.pid) return Promise.resolve();
  return new Promise((done) =>
    model.addEventListener("ready", done, { once: true }));
}
