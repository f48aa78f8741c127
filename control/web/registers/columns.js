// SPDX-License-Identifier: Apache-2.0
// The columns of the registers' list, and what stands in those beside the value.

import { show } from "../formats.js";

// Columns, in the order in which a narrow screen gives them up: the highest
// first.
export const allColumns = [
  { id: "addr", label: "Address", width: "6.5rem", align: "right mono", need: 0 },
  { id: "name", label: "Name", width: "minmax(6rem, 20rem)", need: 20 },
  { id: "value", label: "Value", width: "minmax(7rem, 16rem)", align: "right", need: 0 },
  { id: "unit", label: "Unit", width: "5rem", need: 34 },
  { id: "raw", label: "Registers", width: "minmax(6rem, 1fr)", align: "mono", need: 48, title: "as they stand on the wire, hexadecimal" },
  { id: "type", label: "Type", width: "8rem", need: 58 },
  { id: "access", label: "Access", width: "4.5rem", need: 66 },
  { id: "action", label: "Action", width: "minmax(6rem, 14rem)", need: 76 },
  { id: "reads", label: "Reads", width: "6rem", align: "right", need: 84, counts: true },
  { id: "writes", label: "Writes", width: "6rem", align: "right", need: 84, counts: true },
];

// Those that there is room for; rem: how wide it is.
export function listColumns(rem, bits, counting) {
  return allColumns.filter((c) => c.need <= rem && (!c.counts || counting) &&
    !(bits && ["raw", "type"].includes(c.id)));
}

// How many values of a format a row of the matrix has.
export function perRow(rem, bits, format) {
  const wide = bits ? 2.4 : { bin: 12, ascii: 12, f64: 11, u64: 12, i64: 12 }[format] || 6.2;
  const fit = Math.floor((rem - 8) / wide);
  return [64, 32, 20, 16, 10, 8, 5, 4, 2, 1].find((n) => n <= Math.min(fit, bits ? 64 : 20)) || 1;
}

// The address, and n values of so many registers each.
export function matrixColumns(n, width, bits) {
  return [allColumns[0], ...Array.from({ length: n }, (_, i) =>
    ({ id: "m", label: `+${i * width}`, width: "minmax(0, 1fr)", align: bits ? "" : "right" }))];
}

// What a cell says beside its value; regs, counted: what has been read of a row.
export function plainCell(id, row, regs, counted) {
  if (row.gap) {
    if (id === "addr") return row.count > 1 ? `${row.addr}–${row.addr + row.count - 1}` : row.addr;
    return "";
  }
  const r = row.range;
  switch (id) {
    case "addr": return String(row.addr);
    case "name": return (r.name || "") + (r.name && r.count > row.width ? ` [${(row.addr - r.addr) / row.width}]` : "");
    case "unit": return r.unit || "";
    case "raw": {
      const list = regs(row.addr, row.width);
      return list ? show(list, "hex") : "…";
    }
    case "type": return `${r.type}${["uint16", "int16", "bits", "string"].includes(r.type) ? "" : " " + r.order}${r.scale && r.scale !== 1 ? ` ×${r.scale}` : ""}`;
    case "access": return r.access === "ro" ? "ro" : "rw";
    case "action": return actionWords(r.action);
    case "reads": return counted("reads", row);
    case "writes": return counted("writes", row);
    default: return "";
  }
}

export function actionName(a) {
  return !a ? "" : typeof a === "string" ? a : a.name;
}

function actionWords(a) {
  if (!a) return "";
  if (typeof a === "string") return a;
  const { name, ...rest } = a;
  const more = Object.entries(rest).filter(([, v]) => v != null && typeof v !== "object").map(([k, v]) => `${k} ${v}`).join(", ");
  return more ? `${name} ${more}` : name;
}
