// SPDX-License-Identifier: Apache-2.0
// Which series of a chart share a scale: those of one unit of measure, unless
// it is asked otherwise. What has no unit has a scale of its own, for nothing
// says that two such series can be compared. Pure.

export const sharings = { unit: "one scale a unit", own: "each its own scale", one: "one scale for all" };

const name = (p) => p.name || `${p.table}:${p.addr}`;

// [{ key, label, members }]: the scales of a list of series, in its order;
// members are places in the list.
export function scalesOf(list, sharing) {
  const scales = new Map();
  list.forEach((p, i) => {
    const key = sharing === "one" ? "all" : sharing === "unit" && p.unit ? `unit ${p.unit}` : `own ${i}`;
    if (!scales.has(key)) scales.set(key, { key, members: [] });
    scales.get(key).members.push(i);
  });
  for (const s of scales.values()) {
    const units = [...new Set(s.members.map((i) => list[i].unit || ""))];
    const names = s.members.map((i) => name(list[i]));
    s.label = (names.length > 3 ? [...names.slice(0, 2), `${names.length - 2} more`] : names).join(", ") +
      (units.length === 1 && units[0] ? ` [${units[0]}]` : "");
  }
  return [...scales.values()];
}

// Least and most of what is seen, with room above and below; a series that
// stays the same lies in the middle.
export function rangeOf(least, most) {
  if (!Number.isFinite(least) || !Number.isFinite(most)) return [0, 1];
  if (least === most) {
    const room = Math.abs(least) * 0.1 || 1;
    return [least - room, most + room];
  }
  const room = (most - least) * 0.08;
  return [least - room, most + room];
}
