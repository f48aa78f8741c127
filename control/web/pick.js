// SPDX-License-Identifier: Apache-2.0
// Chooses series for the chart: by name out of every register that has one, or
// by address and range as the command line writes them.

import { h, toast } from "./dom.js";
import { rpc, said } from "./rpc.js";
import { model, ready } from "./model.js";
import { pins, seriesOf, MOST } from "./pins.js";
import { formats, formatOfType } from "./formats.js";

const shorts = { coils: "co", discrete_inputs: "di", holding_registers: "hr", input_registers: "ir" };

// The series of a range, from an address on, n of them; of bits or registers.
export function seriesFrom(device, table, range, addr, n, type = "") {
  const bits = table === "co" || table === "di";
  const format = bits ? "u16" : formatOfType(type || range.type);
  const width = bits ? 1 : formats[format].width || 1;
  const out = [];
  for (let i = 0; i < n; i++) {
    const at = addr + i * width;
    if (at + width > range.addr + range.count) break;
    out.push(seriesOf(device, table, range, { addr: at, format, order: range.order || "abcd", scale: type ? 1 : range.scale, width }));
  }
  return out;
}

// "plc1/hr:100+4:float32" as { device, table, addr, count, type }, or null.
export function parsePlace(words, devices) {
  const m = /^(?:([^/]+)\/)?(co|di|hr|ir):(\d{1,5})(?:\+(\d{1,5}))?(?::([a-z]+\d*))?$/.exec(words.trim());
  if (!m || (!m[1] && devices.length !== 1)) return null;
  return { device: m[1] || devices[0], table: m[2], addr: Number(m[3]), count: Number(m[4] || 1), type: m[5] || "" };
}

export function picker() {
  const list = h("datalist", { id: "pick-list" });
  const input = h("input", { type: "search", size: 22, list: "pick-list", placeholder: "name, or plc1/hr:100+4", "aria-label": "Add a series: a name, or an address", autocomplete: "off",
    onkeydown: (e) => { if (e.key === "Enter") { e.preventDefault(); add(); } } });
  const el = h("span", { class: "field" }, input, list, h("button", { "data-do": "add-series", onclick: () => add() }, "Add"));
  let named = new Map();

  // Every named register of every device; asked once a visit.
  async function learn() {
    const tables = model.devices.flatMap((d) => Object.entries(d.tables || {}).filter(([, n]) => n).map(([t]) => [d.name, shorts[t] || t]));
    const found = await Promise.all(tables.map(([device, table]) =>
      rpc("registers.describe", { device, table }).then((ranges) => ranges.filter((r) => r.name && r.type !== "string")
        .map((range) => ({ device, table, range })), () => [])));
    named = new Map();
    for (const f of found.flat()) {
      // the same name in two devices has its device before it
      const plain = f.range.name, full = `${f.device}/${plain}`;
      named.set(named.has(plain) ? full : plain, f);
      named.set(full, f);
    }
    list.replaceChildren(...found.flat().map((f) => h("option", { value: [...named].find(([, x]) => x === f)[0] },
      `${f.device}/${f.table}:${f.range.addr}${f.range.unit ? ` in ${f.range.unit}` : ""}`)));
  }

  async function chosen(words) {
    const f = named.get(words);
    if (f) return seriesFrom(f.device, f.table, f.range, f.range.addr, MOST);
    const place = parsePlace(words, model.devices.map((d) => d.name));
    if (place && place.type && !Object.values(formats).some((f) => f.type === place.type)) throw new Error(`${place.type} is no type of register.`);
    if (!place) throw new Error(`"${words}" is neither a name here nor an address as plc1/hr:100+4.`);
    const ranges = await rpc("registers.describe", { device: place.device, table: place.table });
    const range = ranges.find((r) => place.addr >= r.addr && place.addr < r.addr + r.count);
    if (!range) throw new Error(`There is nothing at ${place.table}:${place.addr} of ${place.device}.`);
    return seriesFrom(place.device, place.table, range, place.addr, Math.min(place.count, MOST), place.type);
  }

  async function add() {
    const words = input.value.trim();
    if (!words) return input.focus();
    try {
      const all = await chosen(words);
      if (!all.length) throw new Error("No whole value begins there.");
      const fresh = all.filter((p) => !pins.find(p)), room = MOST - pins.list.length;
      for (const p of fresh.slice(0, room)) pins.toggle(p);
      if (fresh.length > room) toast(`There are ${MOST} series at most. Unpin one first.`, "bad");
      else input.value = "";
      if (!fresh.length) toast(`${words} is there already.`);
    } catch (e) {
      toast(said(e), "bad");
    }
  }

  const end = model.on("ready", () => learn().catch(() => {}));
  ready().then(learn).catch(() => {});
  return { el, end, focus() { input.focus(); input.select(); } };
}
