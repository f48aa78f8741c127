// SPDX-License-Identifier: Apache-2.0
// Charts: what has been pinned, drawn by uPlot. One scale a unit of measure,
// the first two of which have an axis. The table beneath says the same in
// figures.

/* global uPlot */
import { h, icon, text, toast, download, Keyed } from "../dom.js";
import { pins, recorder, MOST } from "../pins.js";
import { csv, dateClock, f32Text } from "../formats.js";

const spansS = [[30, "30 s"], [60, "1 min"], [300, "5 min"], [900, "15 min"], [3600, "1 h"]];

const figure = (x) => (x == null || !Number.isFinite(x) ? "–" : f32Text(Math.fround(x)) === String(x) ? String(x) : String(Number(x.toPrecision(7))));

export function create() {
  let plot = null, paused = false, span = 60, zoomed = null, frozen = null, dirty = true, frame = 0;
  const host = h("div", { class: "chart-host", role: "img", "aria-label": "Chart of the pinned registers; the table below holds its figures" });
  const body = h("tbody");
  const spans = h("div", { class: "seg", role: "group", "aria-label": "Time shown" }, spansS.map(([s, label]) =>
    h("button", { "data-s": s, "aria-pressed": String(s === span), onclick: () => choose(s) }, label)));
  const pauseB = h("button", { "aria-pressed": "false", onclick: () => pause() }, icon("pause"), h("span", null, "Pause"));
  const reset = h("button", { class: "quiet", hidden: true, onclick: () => choose(span) }, "Back to now");
  const empty = h("div", { class: "empty" }, h("p", null, "Nothing is pinned yet."),
    h("p", null, "On ", h("a", { href: "#/registers" }, "Registers"), " put the focus on a value and press ", h("kbd", null, "p"), `. Up to ${MOST} series.`));
  const table = h("table", { class: "plain stack" }, h("thead", null, h("tr", null,
    ["", "Series", "Unit", "Now", "Least", "Most", "Mean", ""].map((t, i) =>
      h("th", { scope: "col", class: i > 2 && i < 7 ? "num" : null }, t || h("span", { class: "sr" }, i ? "What to do" : "Colour"))))), body);
  const panel = h("section", { class: "panel", "aria-label": "Figures" }, table);
  const el = h("div", { class: "screen full charts" }, h("h1", { class: "sr" }, "Charts"),
    h("div", { class: "toolbar" }, spans, pauseB, reset,
      h("span", { class: "field push" },
        h("button", { class: "quiet", onclick: saveCsv }, icon("csv"), "CSV"),
        h("button", { class: "quiet", onclick: savePng }, icon("csv"), "PNG"),
        h("button", { class: "quiet", onclick: () => pins.clear() }, "Unpin all"))),
    host, empty, panel,
    h("div", { class: "status-line" }, "Drag to zoom, wheel to zoom at the pointer, double click for now. Recording goes on while other screens are shown."));

  const label = (p) => p.name || `${p.device}/${p.table}:${p.addr}`;
  const rows = new Keyed(body, (p) => {
    const row = h("tr", null, h("td", null, h("span", { class: "swatch" })),
      h("th", { scope: "row" }, h("a", { href: `#/registers/${encodeURIComponent(p.device)}/${p.table}/${p.addr}` }, label(p)), " ",
        h("span", { class: "muted mono" }, `${p.device}/${p.table}:${p.addr} ${p.format}`)),
      h("td", null, p.unit || ""),
      ["now", "least", "most", "mean"].map((k) => h("td", { class: "num live", "data-label": k })),
      h("td", null, h("div", { class: "actions" }, h("button", { class: "quiet bare", "aria-label": `Unpin ${label(p)}`, onclick: () => pins.toggle(p) }, icon("close")))));
    return row;
  }, (row, p) => {
    row.querySelector(".swatch").className = `swatch s${pins.list.indexOf(p)}`;
    const cells = row.querySelectorAll("td.num");
    const seen = visible(p.data).filter((x) => x != null);
    const now = p.data[p.data.length - 1];
    if (p.error) return text(cells[0], p.error);
    text(cells[0], figure(now));
    text(cells[1], seen.length ? figure(seen.reduce((a, b) => Math.min(a, b))) : "–");
    text(cells[2], seen.length ? figure(seen.reduce((a, b) => Math.max(a, b))) : "–");
    text(cells[3], seen.length ? figure(seen.reduce((a, b) => a + b, 0) / seen.length) : "–");
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
    const units = [...new Set(list.map((p) => p.unit || ""))];
    const axis = (scale, i) => ({
      scale, side: i ? 1 : 3, stroke: ink, font, size: px * 4.5, gap: 4, labelFont: font,
      label: scale === "u" ? undefined : scale.slice(1), labelSize: px * 1.5,
      grid: { show: i === 0, stroke: line, width: 1 }, ticks: { stroke: line, width: 1 },
    });
    plot = new uPlot({
      width: host.clientWidth, height: host.clientHeight, ms: 1e-3,
      legend: { show: false }, cursor: { drag: { x: true, y: false } },
      series: [{}, ...list.map((p, i) => ({
        label: label(p), scale: `u${p.unit || ""}`, stroke: colour(i), width: 1.6,
        // patterns as well, for whom colours are alike
        dash: i < 4 ? undefined : [8, 4], spanGaps: false, points: { show: false },
      }))],
      scales: { x: { time: true, range: () => range() } },
      axes: [{ stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 },
        values: "{HH}:{mm}:{ss}", space: px * 6, size: px * 2.6 },
      ...units.slice(0, 2).map((u, i) => axis(`u${u}`, i))],
      hooks: { setSelect: [(u) => {
        if (u.select.width < 4) return;
        zoom([u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")]);
        u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
      }] },
    }, data(), host);
    plot.over.addEventListener("dblclick", () => choose(span));
    plot.over.addEventListener("wheel", wheel, { passive: false });
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
    key(e) {
      if (e.ctrlKey || e.key !== "p") return false;
      pause();
      return true;
    },
    destroy() {
      recorder.fast = false;
      size.disconnect();
      pins.removeEventListener("change", rebuild);
      recorder.removeEventListener("data", fresh);
      removeEventListener("themechange", rebuild);
      scheme.removeEventListener("change", rebuild);
      if (plot) plot.destroy();
    },
  };
}
