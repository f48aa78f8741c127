// SPDX-License-Identifier: Apache-2.0
// The four tables of a device, and which of them it has.

import { model } from "../model.js";

export const tables = [
  ["co", "coils", "Coils"], ["di", "discrete_inputs", "Discrete"],
  ["hr", "holding_registers", "Holding"], ["ir", "input_registers", "Input"],
];
export const longName = Object.fromEntries(tables.map(([s, l]) => [s, l]));
export const inWords = (table) => longName[table].replace("_", " ");

// the one that is opened if none is named
export function firstTable(name) {
  const d = model.devices.find((one) => one.name === name) || model.devices[0];
  const has = d ? ["hr", "ir", "co", "di"].find((t) => d.tables[longName[t]]) : null;
  return has || "hr";
}
