// SPDX-License-Identifier: Apache-2.0
// Registers to words for people and back. Pure: no page, no daemon. Registers
// are arrays of numbers from 0 to 65535 as they stand on the wire.

// width: registers that a value takes; 0 means as many as there are
export const formats = {
  declared: { label: "as declared", width: 0 },
  u16: { label: "u16", width: 1, type: "uint16" },
  i16: { label: "i16", width: 1, type: "int16" },
  hex: { label: "hex", width: 1 },
  bin: { label: "bin", width: 1 },
  u32: { label: "u32", width: 2, type: "uint32" },
  i32: { label: "i32", width: 2, type: "int32" },
  f32: { label: "f32", width: 2, type: "float32" },
  u64: { label: "u64", width: 4, type: "uint64" },
  i64: { label: "i64", width: 4, type: "int64" },
  f64: { label: "f64", width: 4, type: "float64" },
  ascii: { label: "ASCII", width: 8, type: "string" },
};

export const orders = {
  abcd: "big-endian", cdab: "words swapped",
  badc: "bytes swapped", dcba: "little-endian",
};

const ofType = {
  uint16: "u16", int16: "i16", uint32: "u32", int32: "i32", uint64: "u64",
  int64: "i64", float32: "f32", float64: "f64", string: "ascii", bits: "bin",
};

// The format that shows a declared type.
export function formatOfType(type) {
  return ofType[type] || "u16";
}

export function typeOfFormat(format) {
  return (formats[format] && formats[format].type) || "uint16";
}

// The bytes of a value, the highest first, out of registers in an order.
function bytesOf(regs, order) {
  const swapWords = order === "cdab" || order === "dcba";
  const swapBytes = order === "badc" || order === "dcba";
  const list = swapWords ? [...regs].reverse() : regs;
  const view = new DataView(new ArrayBuffer(list.length * 2));
  list.forEach((r, i) => view.setUint16(i * 2, r, swapBytes));
  return view;
}

function registersOf(view, order) {
  const swapWords = order === "cdab" || order === "dcba";
  const swapBytes = order === "badc" || order === "dcba";
  const regs = [];
  for (let i = 0; i < view.byteLength; i += 2)
    regs.push(view.getUint16(i, swapBytes));
  return swapWords ? regs.reverse() : regs;
}

const reads = {
  u16: (v) => v.getUint16(0), i16: (v) => v.getInt16(0),
  u32: (v) => v.getUint32(0), i32: (v) => v.getInt32(0),
  u64: (v) => v.getBigUint64(0), i64: (v) => v.getBigInt64(0),
  f32: (v) => v.getFloat32(0), f64: (v) => v.getFloat64(0),
};

// The number that registers hold; a BigInt of 64-bit integers, NaN of text.
export function number(regs, format, order = "abcd") {
  const f = format === "hex" || format === "bin" ? "u16" : format;
  if (!reads[f] || regs.length * 2 < (formats[f].width || 1) * 2) return NaN;
  return reads[f](bytesOf(regs.slice(0, formats[f].width), order));
}

// The shortest text that reads back as the same 32-bit float.
export function f32Text(x) {
  if (!Number.isFinite(x) || x === 0) return special(x);
  for (let digits = 6; digits <= 9; digits++) {
    const short = Number(x.toPrecision(digits));
    if (Math.fround(short) === x) return plain(short);
  }
  return plain(x);
}

function special(x) {
  return Number.isNaN(x) ? "NaN" : Object.is(x, -0) ? "-0" : String(x);
}

function plain(x) {
  return Number.isFinite(x) ? String(x) : special(x);
}

// What a scale makes of a number: 650 by 0.1 is 65, not 65.00000000000001.
export function scaled(value, scale) {
  if (!scale || scale === 1) return value;
  const x = Number(value) * scale;
  return Number.isFinite(x) ? Number(x.toPrecision(12)) : x;
}

const printable = (c) => (c >= 32 && c < 127 ? String.fromCharCode(c) : "·");

// The words for registers in a format.
export function show(regs, format, order = "abcd", scale = 1) {
  if (regs.length === 0) return "";
  if (format === "hex")
    return regs.map((r) => r.toString(16).padStart(4, "0")).join(" ");
  if (format === "bin")
    return regs.map((r) => r.toString(2).padStart(16, "0")
      .replace(/(....)(?=.)/g, "$1 ")).join("  ");
  if (format === "ascii") return asciiText(regs, order);
  const value = number(regs, format, order);
  if (scale && scale !== 1) return plain(scaled(value, scale));
  if (format === "f32") return f32Text(value);
  return typeof value === "bigint" ? String(value) : plain(value);
}

// Text ends at its first NUL, as the daemon has it; what is behind shows only
// if it is not all NUL.
function asciiText(regs, order) {
  const bytes = [];
  for (const r of regs) {
    const [hi, lo] = [r >> 8, r & 255];
    if (order === "badc" || order === "dcba") bytes.push(lo, hi);
    else bytes.push(hi, lo);
  }
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.slice(0, end).map(printable).join("");
}

const bounds = {
  u16: [0n, 65535n], i16: [-32768n, 32767n],
  u32: [0n, 4294967295n], i32: [-2147483648n, 2147483647n],
  u64: [0n, 2n ** 64n - 1n], i64: [-(2n ** 63n), 2n ** 63n - 1n],
};

function integer(text) {
  const clean = text.replace(/[\s_]/g, "");
  const m = /^(-?)(0x[0-9a-f]+|0b[01]+|0o[0-7]+|\d+)$/i.exec(clean);
  if (!m) return null;
  const value = BigInt(m[2]);
  return m[1] ? -value : value;
}

// Registers of a text that a person typed. Throws an Error with a sentence.
export function parse(text, format, order = "abcd", scale = 1, width = 0) {
  text = text.trim();
  const w = formats[format].width;
  if (format === "ascii") return asciiRegisters(text, width || w, order);
  if (text === "") throw new Error("a value is wanted");
  if (format === "hex" && !/^-|^0[xb]/i.test(text)) text = "0x" + text.replace(/\s/g, "");
  if (format === "bin" && !/^-|^0[xb]/i.test(text)) text = "0b" + text.replace(/\s/g, "");
  if (format === "f32" || format === "f64") return floatRegisters(text, format, order, scale);
  const base = format === "hex" || format === "bin" ? "u16" : format;
  let value;
  if (scale && scale !== 1) {
    const x = Number(text);
    if (!Number.isFinite(x)) throw new Error(`"${text}" is no number`);
    value = BigInt(Math.round(x / scale));
  } else {
    value = integer(text);
  }
  if (value === null) throw new Error(`"${text}" is no whole number`);
  const [min, max] = bounds[base];
  if (value < min || value > max) {
    const show = (v) => (scale && scale !== 1 ? scaled(v, scale) : v);
    throw new Error(`from ${show(min)} to ${show(max)}`);
  }
  return integerRegisters(value, base, order);
}

function integerRegisters(value, format, order) {
  const width = formats[format].width;
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt.asUintN(64, value));
  return registersOf(new DataView(view.buffer, 8 - width * 2), order);
}

function floatRegisters(text, format, order, scale) {
  const t = text.replace(/^(-?)inf(inity)?$/i, "$1Infinity");
  const value = /^nan$/i.test(t) ? NaN : t === "" ? NaN : Number(t);
  if (Number.isNaN(value) && !/^nan$/i.test(t)) throw new Error(`"${text}" is no number`);
  const x = scale && scale !== 1 ? value / scale : value;
  const view = new DataView(new ArrayBuffer(format === "f32" ? 4 : 8));
  if (format === "f32") {
    if (Number.isFinite(x) && !Number.isFinite(Math.fround(x)))
      throw new Error("too large for 32 bits");
    view.setFloat32(0, x);
  } else {
    view.setFloat64(0, x);
  }
  return registersOf(view, order);
}

function asciiRegisters(text, width, order) {
  const bytes = [];
  for (const c of text) {
    const code = c.codePointAt(0);
    if (code > 126 || code < 32) throw new Error(`"${c}" is not ASCII`);
    bytes.push(code);
  }
  if (bytes.length > width * 2)
    throw new Error(`at most ${width * 2} characters`);
  const regs = [];
  const swap = order === "badc" || order === "dcba";
  for (let i = 0; i < width; i++) {
    const [a, b] = [bytes[i * 2] || 0, bytes[i * 2 + 1] || 0];
    regs.push(swap ? b * 256 + a : a * 256 + b);
  }
  return regs;
}

// A bit as a person types it. Throws.
export function parseBit(text) {
  const t = text.trim().toLowerCase();
  if (["1", "on", "true", "yes"].includes(t)) return [1];
  if (["0", "off", "false", "no"].includes(t)) return [0];
  throw new Error("0 or 1");
}

// Numbers of the page itself.
const group = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export function count(n) {
  return n == null ? "–" : group.format(n).replace(/,/g, "\u202f");
}

export function rate(n) {
  if (n == null || !Number.isFinite(n)) return "–";
  return n >= 100 ? count(Math.round(n)) : n >= 10 ? n.toFixed(1) :
    n === 0 ? "0" : n.toFixed(2);
}

// "1 rule", "2 rules"
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

export function duration(s) {
  if (s == null || !Number.isFinite(s)) return "–";
  s = Math.floor(s);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

const two = (n) => String(n).padStart(2, "0");

export function clock(unix, digits = 0) {
  const d = new Date(unix * 1000);
  const base = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  if (!digits) return base;
  // from the number itself: a Date has milliseconds only
  return base + "." + (unix % 1).toFixed(digits).slice(2);
}

export function dateClock(unix) {
  const d = new Date(unix * 1000);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock(unix)}`;
}

// A time of microseconds to seconds.
export function span(s) {
  if (s == null || !Number.isFinite(s)) return "–";
  if (s < 1e-3) return `${Number((s * 1e6).toPrecision(3))} µs`;
  return s < 1 ? `${Number((s * 1e3).toPrecision(3))} ms` : `${Number(s.toPrecision(3))} s`;
}

// Out of a histogram as stats.get has it, with its sums from the smallest
// bucket on: the bound below which that share of all lies.
export function within(histogram, share) {
  const { buckets, count } = histogram;
  const found = Object.entries(buckets).map(([le, n]) => [le === "+Inf" ? Infinity : Number(le), n])
    .sort((a, b) => a[0] - b[0]).find(([, n]) => n >= share * count);
  if (!count || !found) return "–";
  return found[0] === Infinity ? "over 1 s" : span(found[0]);
}

export function bytes(n) {
  if (n == null) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  while (n >= 1000 && i < 4) { n /= 1000; i++; }
  return `${i ? n.toFixed(n < 10 ? 2 : 1) : n} ${units[i]}`;
}

// One field of a CSV.
export function csvField(value) {
  const s = value == null ? "" : String(value);
  // a spreadsheet would take these for a formula
  const safe = /^[=@\t\r]/.test(s) || (/^[+-]/.test(s) && Number.isNaN(Number(s))) ? "'" + s : s;
  return /[",\n\r]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

export function csv(rows) {
  return rows.map((r) => r.map(csvField).join(",")).join("\r\n") + "\r\n";
}
