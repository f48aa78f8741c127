// SPDX-License-Identifier: Apache-2.0
// A table of registers as a CSV map.

import { toast, download } from "../dom.js";
import { rpc, said } from "../rpc.js";
import { Rows } from "../rows.js";
import { show, csv } from "../formats.js";
import { actionName } from "./columns.js";

// All of a table, as holdfast export writes it: each value as declared.
export async function saveCsv({ device, table, ranges, bits }) {
  const lines = [["table", "addr", "type", "order", "value", "name", "unit", "scale", "access", "action"]];
  try {
    // values as declared, range by range; long ranges in pieces
    const rows = new Rows(ranges, "declared", "abcd", bits);
    for (const p of rows.parts) {
      if (p.gap) continue;
      const values = [];
      for (let at = 0; at < p.values * p.width; at += 4000)
        values.push(...(await rpc("registers.read", { device, table, addr: p.addr + at,
          count: Math.min(4000, p.values * p.width - at), ...(bits ? {} : { type: "uint16" }) })).values);
      for (let i = 0; i < p.values; i++) {
        const r = p.range, part = values.slice(i * p.width, (i + 1) * p.width);
        lines.push([table, p.addr + i * p.width, bits ? "bits" : p.left ? "uint16" : r.type, p.order,
          bits ? part[0] : show(part, p.format, p.order), r.name, r.unit, r.scale === 1 ? "" : r.scale, r.access, actionName(r.action)]);
      }
    }
    download(`${device}-${table}.csv`, "text/csv", csv(lines));
  } catch (e) {
    toast(said(e), "bad");
  }
}
