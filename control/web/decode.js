// SPDX-License-Identifier: Apache-2.0
// A frame of trace.read taken apart: a tree of what its bytes mean, each node
// with where it lies, and the fields that the list shows. Pure. Bytes come
// from outside: whatever is missing is said, nothing is assumed.

import { functions, exceptions } from "./faultwords.js";

export function bytesOf(hex) {
  const out = [];
  for (let i = 0; i + 1 < (hex || "").length; i += 2) out.push(parseInt(hex.slice(i, i + 2), 16));
  return out;
}

const hex2 = (n) => n.toString(16).padStart(2, "0");
const hex4 = (n) => n.toString(16).padStart(4, "0");
const node = (label, value, off, len, children) => ({ label, value: String(value), off, len, children: children || [] });

// Where unit and PDU lie in the bytes of a framer; pdu: [from, to).
function envelope(framer, b) {
  const u16 = (i) => b[i] * 256 + b[i + 1];
  if (framer === "rtu") {
    const nodes = b.length ? [node("unit", b[0], 0, 1)] : [];
    const tail = b.length >= 4 ? [crcNode(b)] : [];
    return { unit: b[0], map: (i) => [i + 1, 1], pdu: b.slice(1, Math.max(1, b.length - 2)), nodes, tail, name: "Modbus RTU" };
  }
  if (framer === "ascii") return ascii(b);
  if (framer === "tls") return { unit: null, map: (i) => [i, 1], pdu: b, nodes: [], tail: [], name: "Modbus/TCP Security" };
  const nodes = b.length < 7 ? [] : [
    node("transaction", u16(0), 0, 2),
    node("protocol", u16(2) === 0 ? "0 (Modbus)" : `${u16(2)} (not Modbus)`, 2, 2),
    node("length", `${u16(4)}${u16(4) === b.length - 6 ? "" : `, but ${b.length - 6} follow`}`, 4, 2),
    node("unit", b[6], 6, 1)];
  return { unit: b[6], transaction: b.length > 1 ? u16(0) : null, map: (i) => [i + 7, 1], pdu: b.slice(7), nodes, tail: [], name: "Modbus/TCP" };
}

function crcNode(b) {
  const at = b.length - 2;
  let crc = 0xffff;
  for (let i = 0; i < at; i++) {
    crc ^= b[i];
    for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  const there = b[at] + b[at + 1] * 256;
  return node("CRC", `${hex4(there)} ${there === crc ? "(right)" : `(wrong, ${hex4(crc)} is right)`}`, at, 2);
}

function ascii(b) {
  const text = String.fromCharCode(...b);
  const m = /^:([0-9A-Fa-f]*)/.exec(text);
  const inner = m ? bytesOf(m[1]) : [];
  const at = (i) => [1 + i * 2, 2];
  const sum = inner.slice(0, -1).reduce((a, x) => a + x, 0);
  const lrc = (256 - (sum & 255)) & 255;
  const last = inner.length - 1;
  return {
    unit: inner[0], map: (i) => at(i + 1), pdu: inner.slice(1, last), name: "Modbus ASCII",
    nodes: inner.length ? [node("start", ":", 0, 1), node("unit", inner[0], ...at(0))] : [],
    tail: last > 0 ? [node("LRC", `${hex2(inner[last])} ${inner[last] === lrc ? "(right)" : `(wrong, ${hex2(lrc)} is right)`}`, ...at(last))] : [],
  };
}

export const framerOf = (f) => f.framer || { tls: "tls", serial: "rtu" }[f.type] || "socket";

// Returns { name, nodes, fields, pdu, unit, length }.
export function decode(frame) {
  const b = bytesOf(frame.adu);
  const e = envelope(framerOf(frame), b);
  const out = frame.direction === "out";
  const nodes = [...e.nodes];
  const fields = { addr: null, count: null, values: null };
  if (e.pdu.length === 0) {
    nodes.push(node("", "no function code: this is no frame", 0, b.length));
  } else {
    const place = (from, n) => {
      const [off] = e.map(from);
      const [last, w] = e.map(from + n - 1);
      return [off, n ? last + w - off : 0];
    };
    nodes.push(...pduNodes(e.pdu, out, place, fields, frame.addr));
  }
  nodes.push(...e.tail);
  return { name: e.name, nodes, fields, pdu: e.pdu, unit: e.unit, transaction: e.transaction, length: b.length };
}

function pduNodes(p, out, place, fields, asked) {
  const code = p[0], fc = code & 127;
  const u16 = (i) => p[i] * 256 + p[i + 1];
  const nodes = [];
  const name = functions[fc] || "unknown";
  if (code & 128) {
    nodes.push(node("function", `${fc} ${name}, refused`, ...place(0, 1)));
    if (p.length > 1) nodes.push(node("exception", `${p[1]} ${exceptions[p[1]] || ""}`, ...place(1, 1)));
    return nodes;
  }
  nodes.push(node("function", `${fc} ${name}`, ...place(0, 1)));
  let at = 1;
  const word = (label, keep) => {
    if (at + 1 >= p.length) return false;
    if (keep) fields[keep] = u16(at);
    nodes.push(node(label, label === "count" || label === "address" ? u16(at) : `${u16(at)} (0x${hex4(u16(at))})`, ...place(at, 2)));
    at += 2;
    return true;
  };
  const registers = (label) => {
    if (at >= p.length) return;
    // a reply does not say where; the daemon does while it knows the request
    const start = out ? asked : fields.addr;
    const n = p[at];
    nodes.push(node("bytes", n, ...place(at, 1)));
    at++;
    const list = [];
    for (let i = 0; at + 1 < p.length && i * 2 < n; i++, at += 2)
      list.push(node(`register ${start == null ? `+${i}` : start + i}`, `${u16(at)} (0x${hex4(u16(at))})`, ...place(at, 2)));
    if (list.length) {
      const last = list[list.length - 1];
      nodes.push(node(label, `${list.length}`, list[0].off, last.off + last.len - list[0].off, list));
      fields.count = list.length;
    }
  };
  const bitsOf = (label) => {
    if (at >= p.length) return;
    const start = out ? asked : fields.addr;
    const n = p[at];
    nodes.push(node("bytes", n, ...place(at, 1)));
    at++;
    const list = [];
    for (let i = 0; at < p.length && i < n; i++, at++) {
      const bits = [...p[at].toString(2).padStart(8, "0")].reverse().join("");
      list.push(node(start == null ? `bits +${i * 8}` : `bits ${start + i * 8} …`, bits, ...place(at, 1)));
    }
    if (list.length) {
      const last = list[list.length - 1];
      nodes.push(node(label, `${list.length * 8} at most, the lowest first`, list[0].off, last.off + last.len - list[0].off, list));
    }
  };
  if (fc <= 4 && fc >= 1) {
    if (!out) { word("address", "addr"); word("count", "count"); }
    else if (fc <= 2) bitsOf("bits");
    else registers("registers");
  } else if (fc === 5 || fc === 6) {
    word("address", "addr");
    fields.count = 1;
    word(fc === 5 ? "value (FF00: on)" : "value");
  } else if (fc === 15 || fc === 16) {
    word("address", "addr");
    word("count", "count");
    const n = fields.count;
    if (!out && fc === 16) registers("registers");
    else if (!out) bitsOf("bits");
    fields.count = n;
  } else if (fc === 22) {
    word("address", "addr");
    fields.count = 1;
    word("and mask");
    word("or mask");
  } else if (fc === 23) {
    if (out) registers("registers read");
    else {
      word("address", "addr");
      word("count", "count");
      const [addr, n] = [fields.addr, fields.count];
      fields.addr = null;
      word("write address", "addr");
      word("write count");
      registers("registers written");
      Object.assign(fields, { addr, count: n });
    }
  } else if (fc === 24 && !out) word("address", "addr");
  else if (fc === 8) { word("sub-function"); word("data"); }
  if (at < p.length) nodes.push(node("data", p.slice(at).map(hex2).join(" "), ...place(at, p.length - at)));
  return nodes;
}

// The fields that the list and the filter go by, where the daemon says less.
export function complete(f) {
  if (f.addr === undefined || f.count === undefined) {
    const d = decode(f);
    if (f.addr === undefined) f.addr = d.fields.addr;
    if (f.count === undefined) f.count = d.fields.count;
  }
  return f;
}
