// SPDX-License-Identifier: Apache-2.0
// Two texts line by line: which lines went, which came, and where. Pure. The
// shortest way from one to the other (Myers); where they have little in common
// the way is not sought for long, and what differs is told as one block.

const MOST = 600; // lines of difference that are sought one by one

// Middles of two lists that have nothing in common at either end: pairs of
// places [x, y] that stay, or null if there are too many differences.
function same(a, b) {
  const most = Math.min(a.length + b.length, MOST), v = new Map([[1, 0]]), trail = [];
  for (let d = 0; d <= most; d++) {
    trail.push(new Map(v));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && v.get(k - 1) < v.get(k + 1));
      let x = down ? v.get(k + 1) : v.get(k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      v.set(k, x);
      if (x >= a.length && x - k >= b.length) return back(trail, a, b);
    }
  }
  return null;
}

function back(trail, a, b) {
  const pairs = [];
  let x = a.length, y = b.length;
  for (let d = trail.length - 1; d >= 0; d--) {
    const v = trail[d], k = x - y;
    const from = k === -d || (k !== d && v.get(k - 1) < v.get(k + 1)) ? k + 1 : k - 1;
    const px = d ? v.get(from) : 0, py = d ? px - from : 0;
    while (x > px && y > py && x > 0 && y > 0 && a[x - 1] === b[y - 1]) pairs.unshift([--x, --y]);
    x = px;
    y = py;
  }
  return pairs;
}

// [{ sign: " ", "-" or "+", was, is, text }], was and is being line numbers
// from 1, or null where there is none.
export function diff(before, after) {
  const a = before.replace(/\n$/, "").split("\n"), b = after.replace(/\n$/, "").split("\n");
  let head = 0, tail = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const pairs = same(a.slice(head, a.length - tail), b.slice(head, b.length - tail)) || [];
  const out = [];
  let x = 0, y = 0;
  const to = (i, j) => {
    while (x < i) out.push({ sign: "-", was: x + 1, is: null, text: a[x++] });
    while (y < j) out.push({ sign: "+", was: null, is: y + 1, text: b[y++] });
  };
  const keep = () => { out.push({ sign: " ", was: x + 1, is: y + 1, text: a[x] }); x++; y++; };
  while (x < head) keep();
  for (const [i, j] of pairs) { to(head + i, head + j); keep(); }
  to(a.length - tail, b.length - tail);
  while (x < a.length) keep();
  return out;
}

// What differs with so many lines around it: lists of lines, one for each
// place.
export function hunks(lines, around = 3) {
  const out = [];
  let last = -1;
  lines.forEach((l, i) => {
    if (l.sign === " ") return;
    const from = Math.max(last + 1, i - around);
    if (!out.length || from > last + 1 || last < 0) out.push([]);
    const end = Math.min(lines.length - 1, i + around);
    for (let k = from; k <= end; k++) out.at(-1).push(lines[k]);
    last = Math.max(last, end);
  });
  return out;
}
