// SPDX-License-Identifier: Apache-2.0
// What has been read of a table: values and counts by address, and when each
// value was last another one.

import { rpc } from "../rpc.js";

const KEPT = 40000;
const CHANGED_MS = 2000;

export class Values {
  constructor() {
    this.now = new Map();
    this.changed = new Map();
    this.reads = new Map();
    this.writes = new Map();
  }

  all() { return [this.now, this.changed, this.reads, this.writes]; }

  clear() { this.all().forEach((map) => map.clear()); }

  // registers or bits from an address on; null unless all of them are known
  regs(addr, n) {
    const out = [];
    for (let i = 0; i < n; i++) {
      const v = this.now.get(addr + i);
      if (v === undefined) return null;
      out.push(v);
    }
    return out;
  }

  take(addr, v, at = performance.now()) {
    const was = this.now.get(addr);
    this.now.set(addr, v);
    if (was !== undefined && was !== v) this.changed.set(addr, at);
  }

  most(map, addr, n, none) {
    let most = none;
    for (let i = 0; i < n; i++) most = Math.max(most, map.has(addr + i) ? map.get(addr + i) : none);
    return most;
  }

  // "reads" or "writes" of a value, -1 if that is not known
  counted(which, addr, n) { return this.most(this[which], addr, n, -1); }

  // when a value has changed, 0 unless that was just now
  freshly(addr, n, now) {
    const at = this.most(this.changed, addr, n, 0);
    return at > 0 && now - at < CHANGED_MS ? at : 0;
  }

  // Asks for spans, {addr, count} each, and keeps nothing of elsewhere once
  // there is too much. False if still() no longer wants what has come.
  async read({ device, table, bits, counts, spans, still }) {
    const ask = (method, more) => (p) => rpc(method, { device, table, ...p, ...more });
    const [answers, counted] = await Promise.all([
      Promise.all(spans.map(ask("registers.read", bits ? {} : { type: "uint16" }))),
      counts ? Promise.all(spans.map((p) => ask("registers.counts")(p).catch(() => null))) : [],
    ]);
    if (!still()) return false;
    const now = performance.now();
    answers.forEach(({ values }, k) => values.forEach((v, i) => this.take(spans[k].addr + i, Number(v), now)));
    counted.forEach((c, k) => c && c.reads.forEach((n, i) => {
      this.reads.set(spans[k].addr + i, n);
      this.writes.set(spans[k].addr + i, c.writes[i]);
    }));
    if (this.now.size > KEPT) this.keep(spans);
    return true;
  }

  keep(spans) {
    const kept = new Set(spans.flatMap((p) => Array.from({ length: p.count }, (_, i) => p.addr + i)));
    for (const map of this.all())
      for (const addr of map.keys()) if (!kept.has(addr)) map.delete(addr);
  }
}
