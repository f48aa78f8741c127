// SPDX-License-Identifier: Apache-2.0
// A grid that may have a million rows and holds those that are seen: the
// ARIA grid pattern with one tab stop and roving focus. The row that has the
// focus stays in the page even when it has been scrolled away.

import { h } from "./dom.js";

export const OVERSCAN = 6;
const TALLEST = 8_000_000; // pixels; browsers clip what is taller

export class Grid {
  // o.label; o.columns [{ id, label, width, align, title }]; o.fill(i, cells,
  // row); o.activate(i, column, event); o.select(i); o.key(event, i, column)
  // true if it was for it; o.moved(first, last)
  constructor(o) {
    this.o = o;
    this.count = 0;
    this.at = { row: 0, column: 0 };
    this.rows = new Map();
    this.free = [];
    this.body = h("div", { class: "g-body", role: "rowgroup" });
    this.head = h("div", { class: "g-head", role: "rowgroup" });
    this.el = h("div", { class: "grid", role: "grid", "aria-label": o.label,
      "aria-readonly": o.readonly ? "true" : null }, this.head, this.body);
    this.el.addEventListener("scroll", () => this.soon(), { passive: true });
    this.el.addEventListener("keydown", (e) => this.keydown(e));
    this.el.addEventListener("mousedown", (e) => this.pointed(e));
    this.el.addEventListener("dblclick", (e) => {
      const at = this.where(e.target);
      if (at && o.activate) o.activate(at.row, at.column, e);
    });
    this.el.addEventListener("focusin", (e) => {
      const at = this.where(e.target);
      if (at) this.at = at;
    });
    this.resize = new ResizeObserver(() => {
      this.measure();
      if (o.resized) o.resized();
    });
    this.resize.observe(this.el);
    this.setColumns(o.columns);
  }

  setColumns(columns) {
    this.columns = columns;
    this.el.style.setProperty("--cols", columns.map((c) => c.width).join(" "));
    this.el.setAttribute("aria-colcount", columns.length);
    const row = h("div", { class: "g-row", role: "row", "aria-rowindex": 1 });
    columns.forEach((c, i) => row.append(h("div", {
      class: `g-cell ${c.align || ""}`, role: "columnheader",
      "aria-colindex": i + 1, title: c.title,
    }, c.label || h("span", { class: "sr" }, c.title))));
    this.head.replaceChildren(row);
    for (const el of [...this.rows.values(), ...this.free]) el.remove();
    this.rows.clear();
    this.free = [];
    this.at.column = Math.min(this.at.column, columns.length - 1);
    this.measure();
  }

  setCount(n) {
    if (n !== this.count) {
      this.count = n;
      this.el.setAttribute("aria-rowcount", n + 1);
      this.at.row = Math.min(this.at.row, Math.max(0, n - 1));
      this.height();
    }
    this.draw(true);
  }

  measure() {
    const style = getComputedStyle(this.el);
    this.rowHeight = parseFloat(style.getPropertyValue("--row")) *
      parseFloat(getComputedStyle(document.documentElement).fontSize) || 24;
    this.rowHeight = Math.round(this.rowHeight);
    this.el.style.setProperty("--row-px", this.rowHeight + "px");
    this.view = this.el.clientHeight;
    this.headHeight = this.head.offsetHeight;
    this.height();
    this.draw(false);
  }

  // Beyond what a browser can hold, a pixel of the bar stands for more.
  height() {
    const tall = this.count * (this.rowHeight || 24);
    this.body.style.height = Math.min(tall, TALLEST) + "px";
    this.squeeze = tall > TALLEST
      ? (tall - this.view) / (TALLEST - this.view) : 1;
  }

  get top() { return this.el.scrollTop * (this.squeeze || 1); }

  range() {
    const room = Math.max(0, this.view - this.headHeight);
    const first = Math.max(0, Math.floor(this.top / this.rowHeight));
    const last = Math.min(this.count - 1,
      Math.ceil((this.top + room) / this.rowHeight));
    return { first, last };
  }

  soon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw(false);
    });
  }

  // Makes the page show what the position says; refill: also what it shows
  // already has changed.
  draw(refill) {
    if (!this.rowHeight || !this.el.isConnected) return;
    const seen = this.range();
    const from = Math.max(0, seen.first - OVERSCAN);
    const to = Math.min(this.count - 1, seen.last + OVERSCAN);
    const focused = this.el.contains(document.activeElement) ? this.at.row : -1;
    for (const [i, el] of this.rows) {
      if ((i >= from && i <= to) || (i === focused && i < this.count)) continue;
      this.rows.delete(i);
      this.free.push(el);
      el.hidden = true;
    }
    const shift = this.squeeze === 1 ? 0 : this.el.scrollTop - this.top;
    for (let i = from; i <= to; i++) this.place(i, shift, refill);
    if (focused >= 0 && (focused < from || focused > to) && this.rows.has(focused))
      this.place(focused, shift, refill);
    this.tabStop(from, to);
    if (this.o.moved && (this.was !== `${seen.first},${seen.last}`)) {
      this.was = `${seen.first},${seen.last}`;
      this.o.moved(seen.first, seen.last);
    }
  }

  place(i, shift, refill) {
    let el = this.rows.get(i);
    const fresh = !el;
    if (fresh) {
      el = this.free.shift() || this.make();
      // the page's order is the rows' own: readers go by it. Only what comes
      // anew is moved, so that the focus stays where it is
      this.body.insertBefore(el, this.behind(i));
      this.rows.set(i, el);
      el.hidden = false;
      el.dataset.row = i;
      el.setAttribute("aria-rowindex", i + 2);
      el.classList.toggle("odd", i % 2 === 1);
    }
    const y = `translateY(${i * this.rowHeight + shift}px)`;
    if (el.style.transform !== y) el.style.transform = y;
    if (fresh || refill) this.o.fill(i, el.cells, el, fresh);
  }

  make() {
    const el = h("div", { class: "g-row", role: "row" });
    el.cells = this.columns.map((c, k) => h("div", {
      class: `g-cell ${c.align || ""} c-${c.id}`, role: "gridcell",
      "aria-colindex": k + 1, tabindex: -1,
    }));
    el.append(...el.cells);
    return el;
  }

  // The row that is the next one behind row i of those that there are.
  behind(i) {
    let at = Infinity;
    for (const k of this.rows.keys()) if (k > i && k < at) at = k;
    return this.rows.get(at) || null;
  }

  // One cell of those that are there can be reached by Tab.
  tabStop(from, to) {
    const row = this.at.row >= from && this.at.row <= to ? this.at.row : from;
    const el = this.rows.get(row);
    const cell = el && el.cells[Math.min(this.at.column, el.cells.length - 1)];
    if (cell === this.stop && cell && cell.tabIndex === 0) return;
    if (this.stop) this.stop.tabIndex = -1;
    this.stop = cell;
    if (cell) cell.tabIndex = 0;
  }

  where(target) {
    const cell = target.closest && target.closest("[role=gridcell]");
    const row = cell && cell.parentElement;
    if (!row || !row.cells) return null;
    return { row: Number(row.dataset.row), column: row.cells.indexOf(cell) };
  }

  pointed(e) {
    if (e.button !== 0 || e.target.closest("input,button,a")) return;
    const at = this.where(e.target);
    if (!at) return;
    e.preventDefault();
    this.focus(at.row, at.column);
    if (this.o.select) this.o.select(at.row);
  }

  show(row, middle = false) {
    if (!this.rowHeight) return;
    const room = this.view - this.headHeight;
    const y = row * this.rowHeight;
    let top = this.top;
    if (middle) top = y - (room - this.rowHeight) / 3;
    else if (y < top) top = y;
    else if (y + this.rowHeight > top + room) top = y + this.rowHeight - room;
    else return;
    this.el.scrollTop = Math.max(0, top) / (this.squeeze || 1);
    this.draw(false);
  }

  // Scrolls so that a row is so many pixels below the head.
  align(row, below = 0) {
    this.el.scrollTop = Math.max(0, row * this.rowHeight - below) / (this.squeeze || 1);
    this.draw(false);
  }

  // The row that the eye is on: that of the focus if it is seen, else the
  // first; and how far below the head it is.
  anchor() {
    const { first, last } = this.range();
    const row = this.at.row >= first && this.at.row <= last ? this.at.row : first;
    return { row, below: row * this.rowHeight - this.top };
  }

  focus(row, column, middle) {
    if (this.count === 0) return;
    this.at = {
      row: Math.max(0, Math.min(row, this.count - 1)),
      column: Math.max(0, Math.min(column, this.columns.length - 1)),
    };
    this.show(this.at.row, middle);
    if (!this.rows.has(this.at.row)) this.place(this.at.row, 0, false);
    this.tabStop(this.at.row, this.at.row);
    this.stop.focus({ preventScroll: true });
    this.draw(false);
  }

  end() {
    this.el.scrollTop = this.el.scrollHeight;
    this.draw(true);
  }

  get atEnd() {
    return this.el.scrollTop + this.el.clientHeight >= this.el.scrollHeight - this.rowHeight;
  }

  keydown(e) {
    if (e.target.matches("input,select,textarea,button") || e.altKey || e.metaKey) return;
    const { row, column } = this.at;
    if (this.o.key && this.o.key(e, row, column)) return e.preventDefault();
    // not all of the page: what is seen of the rows is no selection
    if (e.ctrlKey && e.key.toLowerCase() === "a") return e.preventDefault();
    const page = Math.max(1, Math.floor((this.view - this.headHeight) / this.rowHeight) - 1);
    const last = this.count - 1, right = this.columns.length - 1;
    const to = {
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
      PageUp: [row - page, column], PageDown: [row + page, column],
      Home: e.ctrlKey ? [0, 0] : [row, 0],
      End: e.ctrlKey ? [last, right] : [row, right],
    }[e.key];
    if (to) {
      e.preventDefault();
      this.focus(...to);
      if (this.o.select) this.o.select(this.at.row);
    } else if ((e.key === "Enter" || e.key === "F2") && this.o.activate) {
      e.preventDefault();
      this.o.activate(row, column, e);
    }
  }

  destroy() {
    this.resize.disconnect();
    cancelAnimationFrame(this.frame);
  }
}
