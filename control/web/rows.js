// SPDX-License-Identifier: Apache-2.0
// The rows of a table of registers: ranges as registers.describe has them cut
// into values, with a row for each gap between them. Pure; a table of 65536
// addresses is a handful of entries here.

import { formats, formatOfType } from "./formats.js";

export class Rows {
  // ranges of one table; format of formats; bits: the table holds bits;
  // per: values in a row, 1 but in the matrix
  constructor(ranges, format, order, bits, per = 1) {
    Object.assign(this, { format, order, bits, per });
    this.parts = [];
    this.count = 0;
    let next = null;
    for (const r of [...ranges].sort((a, b) => a.addr - b.addr)) {
      if (next !== null && r.addr > next)
        this.add({ gap: true, addr: next, count: r.addr - next, rows: 1 });
      this.range(r);
      next = r.addr + r.count;
    }
  }

  add(part) {
    part.first = this.count;
    this.count += part.rows;
    this.parts.push(part);
  }

  range(r) {
    const declared = this.format === "declared" || this.bits;
    const format = this.bits ? "bit" : declared ? formatOfType(r.type) : this.format;
    let width = this.bits ? 1 : formats[format].width;
    // a declared string is one value over its range
    if (declared && format === "ascii") width = r.count;
    const whole = Math.floor(r.count / width);
    const base = { range: r, order: declared ? r.order : this.order,
      scale: declared ? r.scale || 1 : 1 };
    if (whole > 0)
      this.add({ ...base, addr: r.addr, format, width, values: whole,
        rows: Math.ceil(whole / this.per) });
    const left = r.count - whole * width;
    // what is left over at the end is no value of this format
    if (left > 0)
      this.add({ ...base, addr: r.addr + whole * width, values: left, width: 1,
        format: format === "ascii" ? "hex" : "u16", rows: Math.ceil(left / this.per), left: true });
  }

  part(i) {
    let lo = 0, hi = this.parts.length - 1;
    while (lo < hi) {
      const mid = (lo + hi + 1) >> 1;
      if (this.parts[mid].first <= i) lo = mid;
      else hi = mid - 1;
    }
    return this.parts[lo];
  }

  // Row i: { gap, addr, count } or { addr, width, format, order, scale, range, n }
  row(i) {
    const p = this.part(i);
    if (!p || i >= this.count) return null;
    if (p.gap) return p;
    const at = (i - p.first) * this.per;
    return { ...p, addr: p.addr + at * p.width, n: Math.min(this.per, p.values - at), index: at };
  }

  // The row that shows an address, or that is nearest behind it.
  find(addr) {
    for (const p of this.parts) {
      const span = p.gap ? p.count : p.values * p.width;
      if (addr >= p.addr + span) continue;
      if (p.gap) return addr < p.addr ? p.first : p.first + (addr >= p.addr ? 0 : 1);
      return p.first + Math.max(0, Math.floor((addr - p.addr) / p.width / this.per));
    }
    return Math.max(0, this.count - 1);
  }

  // What must be read to show rows first to last: [{ addr, count }], none over
  // a gap, none longer than most.
  spans(first, last, most = 2000) {
    const spans = [];
    for (let i = first; i <= last && i < this.count;) {
      const p = this.part(i);
      const end = Math.min(last, p.first + p.rows - 1);
      if (!p.gap) {
        const a = this.row(i), b = this.row(end);
        let addr = a.addr;
        let count = b.addr + b.n * b.width - addr;
        const before = spans[spans.length - 1];
        if (before && before.addr + before.count === addr && before.count + count <= most) {
          before.count += count;
          count = 0;
        }
        for (; count > 0; addr += most, count -= most)
          spans.push({ addr, count: Math.min(count, most) });
      }
      i = end + 1;
    }
    return spans;
  }
}
