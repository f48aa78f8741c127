// SPDX-License-Identifier: Apache-2.0
// A rule of faults.list in words, and the names of exceptions and functions.
// Pure.

export const exceptions = {
  1: "illegal function", 2: "illegal data address", 3: "illegal data value",
  4: "server device failure", 5: "acknowledge", 6: "server device busy",
  8: "memory parity error", 10: "gateway path unavailable",
  11: "gateway target failed to respond",
};

export const functions = {
  1: "read coils", 2: "read discrete inputs", 3: "read holding registers",
  4: "read input registers", 5: "write single coil", 6: "write single register",
  7: "read exception status", 8: "diagnostics", 11: "get comm event counter",
  12: "get comm event log", 15: "write multiple coils",
  16: "write multiple registers", 17: "report server id",
  20: "read file record", 21: "write file record", 22: "mask write register",
  23: "read/write multiple registers", 24: "read FIFO queue",
  43: "encapsulated interface",
};

export const effects = {
  exception: (v) => `exception ${v}${exceptions[v] ? ` (${exceptions[v]})` : ""}`,
  delay_ms: (v) => `${v} ms late`,
  drop: (v) => v && "no reply",
  junk_bytes: (v) => `${v} random bytes instead`,
  split_ms: (v) => `in two parts, ${v} ms apart`,
  change_pct: (v, r) => `other values in ${v} % of the registers or bits` +
    (r.change_rate_pct ? `, in ${r.change_rate_pct} % of the replies` : ""),
  wrong_unit: (v) => v && "wrong unit",
  bad_crc: (v) => v && "wrong checksum or header",
};

// "6", "06", "server device busy" or "illegal_data_address" as a code of 1 to
// 255; NaN if it is none.
export function exceptionCode(typed) {
  const word = typed.trim().toLowerCase().replace(/[\s_-]+/g, " ");
  const named = Object.entries(exceptions).find(([, name]) => name === word);
  if (named) return Number(named[0]);
  // a suggestion that was chosen has its name behind it
  const m = /^(0x[0-9a-f]+|\d+)(?: (.*))?$/.exec(word);
  const code = m ? Number(m[1]) : NaN;
  return code >= 1 && code <= 255 && (!m[2] || m[2] === exceptions[code]) ? code : NaN;
}

export function whom(r) {
  const parts = [];
  if (r.transport) parts.push(r.transport);
  if (r.connection) parts.push(`connection ${r.connection}`);
  if (r.unit != null) parts.push(`unit ${r.unit}`);
  if (r.fc != null && !(Array.isArray(r.fc) && !r.fc.length))
    parts.push(`FC ${[].concat(r.fc).join(", ")}`);
  if (r.range) parts.push(Array.isArray(r.range) ? `addresses ${r.range.join("–")}` : String(r.range));
  return parts.join(", ") || "everything";
}

export function what(r) {
  return Object.entries(effects)
    .map(([key, say]) => (r[key] != null && r[key] !== false ? say(r[key], r) : null))
    .filter(Boolean).join(" + ") || "nothing";
}

export function describeFault(r) {
  const rate = r.rate_pct != null && r.rate_pct < 100 ? `, ${r.rate_pct} %` : "";
  return `${whom(r)}: ${what(r)}${rate}`;
}
