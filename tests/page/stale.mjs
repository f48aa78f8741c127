// SPDX-License-Identifier: Apache-2.0
// The http process dies, and once it hangs.
import { run, step, go, cell, until, ask, rpc, assert, base } from "./lib.mjs";

await run({}, async ({ page }) => {
  await page.goto(base + "#/registers/plc1/hr/1100");
  const stale = () => page.evaluate(() => document.body.classList.contains("stale"));
  const flow = () => cell(page, 1100);
  await until(async () => /^\d/.test(await flow() || ""), "flow");
  assert.equal(await stale(), false);

  await step("its death is said, its successor found, and values go on", async () => {
    // held, so that there is a time without anybody
    await ask("stop_http");
    await until(stale, "stale", 9000);
    await page.waitForSelector("[data-banner=gone] >> text=All values are stale");
    await until(async () => /No connection to the daemon/.test(await page.textContent("#live")), "that it is said");
    const mark = await page.evaluate(() => { const c = document.querySelector(".c-value.live"); const s = getComputedStyle(c); return [s.fontStyle, s.textDecorationLine]; });
    assert.deepEqual(mark, ["italic", "underline"]);
    const was = await flow();
    assert.match(was, /^\d/, "the last value is still there");
    // nothing can be written meanwhile
    await page.focus(".g-row:has(.c-name:text-is('tag')) .c-value");
    await page.keyboard.press("F2");
    await page.waitForSelector(".toast:has-text('There is no connection')");
    await ask("kill_http_held");
    await until(async () => !await stale(), "fresh", 9000);
    assert.equal(await page.locator("[data-banner=gone]").count(), 0);
    await until(async () => await flow() !== was, "values going on");
    await until(async () => /The connection is back/.test(await page.textContent("#live")), "that it is said");
  });

  await step("a death in the middle of it all costs no more than a moment", async () => {
    await go(page, "#/overview");
    await ask("kill_http");
    await until(async () => !await stale() && Number((await page.textContent("#fig-rate")).replace(/\s/g, "")) > 500, "rates again", 12000);
  });

  await step("events come again afterwards", async () => {
    await until(async () => {
      await rpc("transports.stop", { name: "udp1" });
      await rpc("transports.start", { name: "udp1" });
      return /udp1 is up/.test(await page.textContent(".events"));
    }, "an event", 15000);
  });
});
