// SPDX-License-Identifier: Apache-2.0
// The whole way round without a mouse.
import { run, step, cell, until, rpc, assert, base } from "./lib.mjs";

await run({}, async ({ page }) => {
  await page.goto(base);
  await page.waitForSelector(".cards .card");
  const key = (k) => page.keyboard.press(k);
  const focus = () => page.evaluate(() => { const e = document.activeElement; return `${e.getAttribute("role") || e.tagName} ${e.textContent || e.placeholder || ""}`; });

  await step("? says which keys there are, Escape leaves it", async () => {
    await key("?");
    await page.waitForSelector("dialog.help >> text=Every screen has an address");
    await key("Escape");
    await until(async () => await page.locator("dialog").count() === 0, "the help to go");
  });

  await step("g and a letter goes to each screen", async () => {
    for (const [k, id] of [["r", "registers"], ["c", "charts"], ["t", "transports"], ["k", "clients"], ["w", "traffic"], ["f", "faults"], ["l", "log"], ["e", "configuration"], ["o", "overview"]]) {
      await key("g");
      assert.ok(await page.evaluate(() => document.body.classList.contains("chord")));
      await key(k);
      await page.waitForSelector(`main[data-screen=${id}]`);
      assert.equal(await page.getAttribute("nav [aria-current]", "data-screen"), id);
    }
  });

  await step("Tab reaches a link past the bar, and the first stop skips it", async () => {
    await page.evaluate(() => document.activeElement.blur());
    await page.goto(base + "#/overview");
    await page.reload();
    await page.waitForSelector(".cards .card");
    await key("Tab");
    assert.match(await focus(), /To the screen/);
    const seen = new Set();
    for (let i = 0; i < 40; i++) {
      await key("Tab");
      seen.add(await focus());
      const shown = await page.evaluate(() => { const s = getComputedStyle(document.activeElement); return document.activeElement === document.body || s.outlineStyle !== "none"; });
      assert.ok(shown, `focus is seen on ${await focus()}`);
    }
    for (const want of [/A Registers/, /A tcp1up/]) assert.ok([...seen].some((s) => want.test(s)), `${want}`);
  });

  await step("registers: / and an address, arrows, an edit, undo", async () => {
    await key("g");
    await key("r");
    await page.waitForSelector("main[data-screen=registers] .g-row");
    await key("/");
    await page.keyboard.type("1130");
    await key("Enter");
    await until(async () => /^gridcell -2.5/.test(await focus()), "the focus on level");
    assert.match(page.url(), /plc1\/hr\/1130/);
    await key("F2");
    await key("Shift+Enter");
    assert.match(await focus(), /9007199254740993/, "past the gap");
    await key("ArrowDown");
    assert.match(await focus(), /not defined/);
    await key("ArrowUp");
    assert.match(await focus(), /9007199254740993/);
    await key("ArrowDown");
    await key("ArrowDown");
    await key("F2");
    await page.keyboard.type("8.5");
    await key("Enter");
    await until(async () => (await rpc("registers.read", { device: "plc1", table: "hr", addr: 1130, type: "declared" })).values[0] === 8.5, "8.5");
    await key("Control+z");
    await until(async () => (await rpc("registers.read", { device: "plc1", table: "hr", addr: 1130, type: "declared" })).values[0] === -2.5, "-2.5");
    await key("Control+a");
    assert.equal(await page.evaluate(() => String(getSelection())), "", "nothing is marked");
    await key("Control+Home");
    await until(async () => await page.evaluate(() => document.activeElement.parentElement.dataset.row === "0"), "the first row");
    await key("Control+End");
    await until(async () => /gridcell/.test(await focus()) && await cell(page, 1130) !== null, "the last row");
    // by name
    await key("/");
    await page.keyboard.type("energ");
    await key("Enter");
    await page.waitForSelector("text=energy: 1 of 1");
    await key("Escape");
    // typing a digit begins an edit, Escape ends it
    await key("/");
    await page.evaluate(() => document.activeElement.select());
    await page.keyboard.type("5");
    await key("Enter");
    await until(async () => /^gridcell/.test(await focus()), "the focus in the grid");
    await key("4");
    assert.equal(await page.evaluate(() => document.activeElement.value), "4");
    await key("Escape");
    assert.match(await focus(), /^gridcell/);
  });

  await step("g and a letter goes elsewhere from the grid, too", async () => {
    await page.focus(".g-cell[tabindex='0']");
    await key("g");
    await key("c");
    await page.waitForSelector("main[data-screen=charts]");
    assert.equal(await page.locator(".toast:has-text('link')").count(), 0);
    assert.ok(!await page.evaluate(() => document.body.classList.contains("chord")));
    await page.goBack();
    await page.waitForSelector("main[data-screen=registers] .g-cell[tabindex='0']");
    await page.focus(".g-cell[tabindex='0']");
  });

  await step("registers: the grid tells a screen reader where it is", async () => {
    const g = await page.evaluate(() => { const g = document.querySelector("[role=grid]"), c = document.activeElement; return { rows: Number(g.getAttribute("aria-rowcount")), cols: g.getAttribute("aria-colcount"), label: g.getAttribute("aria-label"), row: c.parentElement.getAttribute("aria-rowindex"), col: c.getAttribute("aria-colindex"), stops: g.querySelectorAll("[role=gridcell][tabindex='0']").length }; });
    assert.deepEqual({ ...g, col: "", cols: "" }, { rows: 1000 + 10 + 5 + 4 + 1, label: "holding registers of plc1", row: "7", stops: 1, col: "", cols: "" });
  });

  await step("tabs of the tables by arrows", async () => {
    await page.focus("[role=tab][aria-selected=true]");
    await key("ArrowRight");
    await until(async () => /tab Input/.test(await focus()), "Input registers");
    assert.match(page.url(), /plc1\/ir/);
  });

  await step("traffic: a frame is chosen, opened and walked through", async () => {
    await key("g");
    await key("w");
    await until(async () => await page.locator(".traffic .g-body .g-row:not([hidden])").count() > 5, "frames");
    await key("p");
    await page.focus(".g-cell[tabindex='0']");
    await key("ArrowDown");
    await key("Enter");
    await until(async () => /^treeitem/.test(await focus()), "the tree");
    const first = await focus();
    await key("ArrowDown");
    assert.notEqual(await focus(), first);
    assert.ok(await page.locator(".hexdump .lit").count() > 0);
    await key("Escape");
    await until(async () => /^gridcell/.test(await focus()), "the list again");
  });

  await step("light and dark", async () => {
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    await key("d");
    const one = await theme();
    await key("d");
    assert.notEqual(await theme(), one);
  });
});
