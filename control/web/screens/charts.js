// SPDX-License-Identifier: Apache-2.0
// Charts: what has been pinned, drawn by uPlot, with a scale for each unit of
// measure. The table beneath says the same in figures, and what they were
// under the cursor.

/* global uPlot */
import { h, icon, text, toast, download, Keyed } from "../dom.js";
import { pins, recorder, MOST } from "../pins.js";
import { csv, dateClock, clock, f32Text } from "../formats.js";
import { scalesOf, rangeOf, sharings } from "../scales.js";
import { picker } from "../pick.js";

const spansS = [[30, "30 s"], [60, "1 min"], [300, "5 min"], [900, "15 min"], [3600, "1 h"]];

const HINT = "Drag to zoom, wheel to zoom at the pointer, double click for now. Recording goes on while other screens are shown.";

const figure = (x) => (x == null || !Number.isFinite(x) ? "–" : f32Text(Math.fround(x)) === String(x) ? String(x) : String(Number(x.toPrecision(7))));

export function create() {
  let plot = null, paused = false, span = 60, zoomed = null, frozen = null, dirty = true, frame = 0, sharing = "unit";
  const host = h("div", { class: "chart-host", role: "img", tabindex: 0, "aria-label": "Chart of the pinned registers; the table below holds its figures. Left and right move the cursor.", onkeydown: arrow });
  const tip = h("div", { class: "chart-tip", hidden: true });
  const share = h("select", { "aria-label": "Scales", onchange: () => { sharing = share.value; build(); } },
    Object.entries(sharings).map(([id, label]) => h("option", { value: id }, label)));
  const body = h("tbody");
  const hint = h("div", { class: "status-line" }, HINT);
  const spans = h("div", { class: "seg", role: "group", "aria-label": "Time shown" }, spansS.map(([s, label]) =>
    h("button", { "data-s": s, "aria-pressed": String(s === span), onclick: () => choose(s) }, label)));
  const pauseB = h("button", { "aria-pressed": "false", onclick: () => pause() }, icon("pause"), h("span", null, "Pause"));
  const reset = h("button", { class: "quiet", hidden: true, onclick: () => choose(span) }, "Back to now");
  const empty = h("div", { class: "empty" }, h("p", null, "Nothing is pinned yet."),
    h("p", null, "Name a register above, or a range as plc1/hr:100+4. Or on ", h("a", { href: "#/registers" }, "Registers"), " put the focus on a value and press ", h("kbd", null, "p"), `. Up to ${MOST} series.`));
  const pick = picker();
  const table = h("table", { class: "plain stack" }, h("thead", null, h("tr", null,
    ["", "Series", "Unit", "Now", "At the cursor", "Least", "Most", "Mean", ""].map((t, i) =>
      h("th", { scope: "col", class: i > 2 && i < 8 ? "num" : null }, t || h("span", { class: "sr" }, i ? "What to do" : "Colour"))))), body);
  const panel = h("section", { class: "panel", "aria-label": "Figures" }, table);
  const el = h("div", { class: "screen full charts" }, h("h1", { class: "sr" }, "Charts"),
    h("div", { class: "toolbar" }, pick.el, spans, pauseB, reset, share,
      h("span", { class: "field push" },
        h("button", { class: "quiet", onclick: saveCsv }, icon("csv"), "CSV"),
        h("button", { class: "quiet", onclick: savePng }, icon("csv"), "PNG"),
        h("button", { class: "quiet", onclick: () => pins.clear() }, "Unpin all"))),
    host, empty, panel,
    hint);

  const label = (p) => p.name || `${p.device}/${p.table}:${p.addr}`;
  const rows = new Keyed(body, (p) => {
    const row = h("tr", null, h("td", null, h("span", { class: "swatch" })),
      h("th", { scope: "row" }, h("a", { href: `#/registers/${encodeURIComponent(p.device)}/${p.table}/${p.addr}` }, label(p)), " ",
        h("span", { class: "muted mono" }, `${p.device}/${p.table}:${p.addr} ${p.format}`)),
      h("td", null, p.unit || ""),
      ["now", "at the cursor", "least", "most", "mean"].map((k) => h("td", { class: "num live", "data-label": k })),
      h("td", null, h("div", { class: "actions" }, h("button", { class: "quiet bare", "aria-label": `Unpin ${label(p)}`, onclick: () => pins.toggle(p) }, icon("close")))));
    return row;
  }, (row, p) => {
    row.querySelector(".swatch").className = `swatch s${pins.list.indexOf(p)}`;
    const cells = row.querySelectorAll("td.num");
    const seen = visible(p.data).filter((x) => x != null);
    const now = p.data[p.data.length - 1];
    if (p.error) return text(cells[0], p.error);
    text(cells[0], figure(now));
    text(cells[1], plot && plot.cursor.idx != null ? figure(p.data[plot.cursor.idx]) : "–");
    text(cells[2], seen.length ? figure(seen.reduce((a, b) => Math.min(a, b))) : "–");
    text(cells[3], seen.length ? figure(seen.reduce((a, b) => Math.max(a, b))) : "–");
    text(cells[4], seen.length ? figure(seen.reduce((a, b) => a + b, 0) / seen.length) : "–");
  });

  function range() {
    if (zoomed) return zoomed;
    const end = frozen || Date.now() / 1000;
    return [end - span, end];
  }

  function visible(data) {
    const [from, to] = range();
    const t = recorder.times;
    let a = t.findIndex((x) => x >= from);
    if (a < 0) a = t.length;
    let b = t.length;
    while (b > a && t[b - 1] > to) b--;
    return data.slice(a, b);
  }

  function colour(i) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--s${i + 1}`).trim();
  }

  function build() {
    if (plot) plot.destroy();
    plot = null;
    const list = pins.list;
    empty.hidden = list.length > 0;
    host.hidden = panel.hidden = list.length === 0;
    rows.set(list, (p) => pins.key(p));
    if (!list.length || !host.clientWidth) return;
    const css = getComputedStyle(document.documentElement);
    const ink = css.getPropertyValue("--muted").trim(), line = css.getPropertyValue("--line").trim();
    const px = parseFloat(css.fontSize);
    const font = `${Math.round(px * 0.85)}px system-ui, sans-serif`;
    const scales = scalesOf(list, sharing);
    const of = list.map((_, i) => scales.find((s) => s.members.includes(i)).key);
    // as many axes as leave room for what is drawn, left and right in turn
    const axes = scales.slice(0, Math.max(1, Math.floor(host.clientWidth / px / 13)));
    const axis = (s, i) => {
      const ink1 = s.members.length === 1 ? colour(s.members[0]) : ink;
      return { scale: s.key, side: i % 2 ? 1 : 3, stroke: ink1, font, gap: 4, labelFont: font, label: s.label, labelSize: px * 1.6,
        size: (u, values) => Math.max(px * 2.5, Math.max(0, ...(values || []).map((v) => String(v).length)) * px * 0.56 + px),
        space: px * 3, grid: { show: i === 0, stroke: line, width: 1 }, ticks: { stroke: ink1, width: 1 },
        values: (u, splits) => splits.map(figure) };
    };
    const small = scales.length - axes.length;
    text(hint, (small ? `${axes.length} of ${scales.length} axes have room here; each series keeps its scale. ` : "") + HINT);
    plot = new uPlot({
      width: host.clientWidth, height: host.clientHeight, ms: 1e-3,
      legend: { show: false }, cursor: { drag: { x: true, y: false } },
      series: [{}, ...list.map((p, i) => ({
        label: label(p), scale: of[i], stroke: colour(i), width: 1.6,
        // patterns as well, for whom colours are alike
        dash: i < 4 ? undefined : [8, 4], spanGaps: false, points: { show: false },
      }))],
      scales: { x: { time: true, range: () => range() },
        ...Object.fromEntries(scales.map((s) => [s.key, { range: () => seenRange(s) }])) },
      axes: [{ stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 },
        values: "{HH}:{mm}:{ss}", space: px * 6, size: px * 2.6 },
      ...axes.map(axis)],
      hooks: { setCursor: [() => cursor()], setSelect: [(u) => {
        if (u.select.width < 4) return;
        zoom([u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")]);
        u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
      }] },
    }, data(), host);
    tip.hidden = true;
    plot.over.append(tip);
    plot.over.addEventListener("dblclick", () => choose(span));
    plot.over.addEventListener("wheel", wheel, { passive: false });
  }

  function seenRange(s) {
    let least = Infinity, most = -Infinity;
    for (const i of s.members)
      for (const x of visible(pins.list[i] ? pins.list[i].data : [])) {
        if (x == null) continue;
        least = Math.min(least, x);
        most = Math.max(most, x);
      }
    return rangeOf(least, most);
  }

  // What stood there: beside the cursor, and in the table.
  function cursor() {
    const i = plot && plot.cursor.idx;
    tip.hidden = i == null || plot.cursor.left < 0;
    if (!tip.hidden) {
      tip.replaceChildren(h("div", { class: "muted mono" }, clock(recorder.times[i], 1)),
        ...pins.list.map((p, k) => h("div", null, h("span", { class: `swatch s${k}` }), h("span", { class: "tip-name" }, label(p)),
          h("b", null, figure(p.data[i])), h("span", { class: "muted" }, p.unit || ""))));
      const { left } = plot.cursor, width = plot.over.clientWidth;
      const right = left > width / 2;
      tip.style.left = right ? "auto" : `${left + 14}px`;
      tip.style.right = right ? `${width - left + 14}px` : "auto";
    }
    rows.set(pins.list, (p) => pins.key(p));
  }

  function arrow(e) {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (!plot || !move || !recorder.times.length) return;
    e.preventDefault();
    const [from, to] = range(), t = recorder.times;
    const now = plot.cursor.idx == null ? t.length - 1 : plot.cursor.idx + move * (e.shiftKey ? 10 : 1);
    const at = Math.max(0, Math.min(t.length - 1, now));
    if (t[at] < from || t[at] > to) return;
    plot.setCursor({ left: plot.valToPos(t[at], "x"), top: 10 });
  }

  function data() {
    return [recorder.times, ...pins.list.map((p) => p.data)];
  }

  function wheel(e) {
    e.preventDefault();
    const [a, b] = range();
    const at = plot.posToVal(e.offsetX, "x");
    const f = e.deltaY < 0 ? 0.8 : 1.25;
    zoom([at - (at - a) * f, at + (b - at) * f]);
  }

  function zoom(to) {
    if (to[1] - to[0] < 0.5) return;
    zoomed = to;
    reset.hidden = false;
    say();
    draw();
  }

  function choose(s) {
    span = s;
    zoomed = null;
    reset.hidden = true;
    say();
    draw();
  }

  function say() {
    for (const b of spans.children) b.setAttribute("aria-pressed", String(!zoomed && Number(b.dataset.s) === span));
  }

  function pause() {
    paused = !paused;
    frozen = paused ? Date.now() / 1000 : null;
    pauseB.setAttribute("aria-pressed", paused);
    pauseB.replaceChildren(icon(paused ? "play" : "pause"), h("span", null, paused ? "Go on" : "Pause"));
    draw();
  }

  function draw() {
    if (!plot) return;
    plot.setData(data(), false);
    const [min, max] = range();
    plot.setScale("x", { min, max });
    if (dirty) rows.set(pins.list, (p) => pins.key(p));
    dirty = false;
  }

  function fresh() {
    dirty = true;
    if (paused || frame || document.hidden) return;
    frame = requestAnimationFrame(() => { frame = 0; draw(); });
  }

  function saveCsv() {
    if (!pins.list.length) return toast("Nothing is pinned.");
    const head = ["time", ...pins.list.map((p) => label(p) + (p.unit ? ` [${p.unit}]` : ""))];
    const lines = recorder.times.map((t, i) => [new Date(t * 1000).toISOString(), ...pins.list.map((p) => p.data[i])]);
    download(`holdfast-${dateClock(Date.now() / 1000).replace(/[ :]/g, "-")}.csv`, "text/csv", csv([head, ...lines]));
  }

  function savePng() {
    if (!plot) return toast("Nothing is pinned.");
    // with a ground: a picture without one cannot be read in the dark
    const source = plot.ctx.canvas, canvas = document.createElement("canvas");
    canvas.width = source.width;
    canvas.height = source.height;
    const c = canvas.getContext("2d");
    c.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--panel");
    c.fillRect(0, 0, canvas.width, canvas.height);
    c.drawImage(source, 0, 0);
    canvas.toBlob((blob) => download("holdfast.png", "image/png", blob));
  }

  const rebuild = () => build();
  const size = new ResizeObserver(() => {
    if (plot) plot.setSize({ width: host.clientWidth, height: host.clientHeight });
    else build();
  });
  size.observe(host);
  pins.addEventListener("change", rebuild);
  recorder.addEventListener("data", fresh);
  addEventListener("themechange", rebuild);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", rebuild);
  recorder.fast = true;
  requestAnimationFrame(build);
  return {
    el,
    search() { pick.focus(); },
    key(e) {
      if (e.ctrlKey || e.key !== "p") return false;
      pause();
      return true;
    },
    destroy() {
      recorder.fast = false;
      pick.end();
      size.disconnect();
      pins.removeEventListener("change", rebuild);
      recorder.removeEventListener("data", fresh);
      removeEventListener("themechange", rebuild);
      scheme.removeEventListener("change", rebuild);
      if (plot) plot.destroy();
    },
  };
}
