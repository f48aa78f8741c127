// SPDX-License-Identifier: Apache-2.0
// The series that have been pinned to the chart, and what has been recorded
// of them. Recording goes on while other screens are shown, once a second, for
// as long as anything is pinned: that is what pinning asks for.

import { rpc, every, link, RpcError } from "./rpc.js";
import { number, formats } from "./formats.js";
import { ready } from "./model.js";

export const MOST = 8;
const KEEP_S = 3600;
const STORE = "holdfast.pins";

function load() {
  try {
    const list = JSON.parse(localStorage.getItem(STORE) || "[]");
    return list.filter((p) => p && p.device && p.table && Number.isInteger(p.addr)).slice(0, MOST);
  } catch {
    return [];
  }
}

class Pins extends EventTarget {
  constructor() {
    super();
    this.list = load();
    for (const p of this.list) p.data = [];
  }

  key(p) { return `${p.device}/${p.table}/${p.addr}/${p.format}/${p.order}`; }

  find(p) { return this.list.find((q) => this.key(q) === this.key(p)); }

  // Adds or removes; returns what became of it: "on", "off", "full".
  toggle(p) {
    const there = this.find(p);
    if (there) this.list = this.list.filter((q) => q !== there);
    else if (this.list.length >= MOST) return "full";
    else this.list.push({ ...p, data: [] });
    this.save();
    return there ? "off" : "on";
  }

  clear() {
    this.list = [];
    this.save();
  }

  save() {
    const plain = this.list.map(({ data, ...p }) => p);
    try {
      localStorage.setItem(STORE, JSON.stringify(plain));
    } catch { /* for this visit only, then */ }
    this.dispatchEvent(new Event("change"));
  }
}

export const pins = new Pins();

// A series out of a range as registers.describe has it, at one of its
// addresses, read as a format of formats.
export function seriesOf(device, table, range, { addr, format, order, scale, width }) {
  const n = (addr - range.addr) / width;
  return { device, table, addr, format, order, scale: scale || 1,
    name: range.name ? range.name + (range.count > width ? `[${n}]` : "") : "", unit: range.unit || "" };
}

class Recorder extends EventTarget {
  constructor() {
    super();
    this.times = [];
    this.fast = false; // the chart is being looked at
  }

  start() {
    ready().then(() => {
      every(200, async () => {
        this.turn = (this.turn || 0) + 1;
        if (this.fast || this.turn % 5 === 0) await this.sample();
      });
    });
    pins.addEventListener("change", () => this.align());
    // a hole in what was recorded is a hole in the chart
    link.addEventListener("change", () => {
      if (link.state === "gone") this.push(Date.now() / 1000, pins.list.map(() => null));
    });
    this.align();
  }

  align() {
    for (const p of pins.list)
      while (p.data.length < this.times.length) p.data.unshift(null);
    if (pins.list.length === 0) this.times = [];
    this.dispatchEvent(new Event("data"));
  }

  async sample() {
    if (!pins.list.length) return;
    const list = [...pins.list];
    const values = await Promise.all(list.map((p) => this.one(p)));
    if (list.some((p, i) => pins.list[i] !== p)) return;
    this.push(Date.now() / 1000, values);
  }

  async one(p) {
    const bits = p.table === "co" || p.table === "di";
    const count = bits ? 1 : (formats[p.format] || formats.u16).width || 1;
    try {
      const { values } = await rpc("registers.read", {
        device: p.device, table: p.table, addr: p.addr, count,
        ...(bits ? {} : { type: "uint16" }),
      });
      p.error = "";
      const x = bits ? values[0] : Number(number(values, p.format, p.order)) * (p.scale || 1);
      return Number.isFinite(x) ? x : null;
    } catch (e) {
      if (e instanceof RpcError) p.error = e.message;
      return null;
    }
  }

  push(at, values) {
    if (!values.length) return;
    this.times.push(at);
    pins.list.forEach((p, i) => p.data.push(values[i] == null ? null : values[i]));
    const old = this.times.findIndex((t) => t > at - KEEP_S);
    if (old > 500) {
      this.times.splice(0, old);
      for (const p of pins.list) p.data.splice(0, old);
    }
    this.dispatchEvent(new Event("data"));
  }
}

export const recorder = new Recorder();
