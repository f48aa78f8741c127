// SPDX-License-Identifier: Apache-2.0
import { run, step, go, cell, until, rpc, more, assert, base } from "./lib.mjs";

await run({}, async ({ page }) => {
  await page.goto(base + "#/registers/plc1/hr/1130");

  await step("without a token the page asks for one", async () => {
    await page.waitForSelector("dialog.token >> text=A token is needed");
    await page.fill("#token", more.read);
    await page.keyboard.press("Enter");
    await until(async () => await cell(page, 1130) === "-2.5", "values with the token");
  });

  await step("who may only read changes nothing, and is told why", async () => {
    await page.waitForSelector(".tools >> text=read only");
    await page.locator(".g-row:has(.c-name:text-is('level')) .c-value").dblclick();
    await page.waitForSelector(".toast:has-text('Needs the role operate; yours is read')");
    assert.equal(await page.locator(".g-cell input").count(), 0);
    assert.equal(await page.getAttribute("[role=grid]", "aria-readonly"), "true");
    await go(page, "#/transports");
    await page.waitForSelector("button[aria-label='restart tcp1']");
    assert.ok(await page.isDisabled("button[aria-label='restart tcp1']"));
    assert.match(await page.getAttribute("button[aria-label='restart tcp1']", "title"), /Needs the role operate/);
    await go(page, "#/configuration");
    await page.waitForSelector("[data-do=reload]:disabled");
    await go(page, "#/faults");
    await page.waitForSelector("#fault-add:disabled");
  });

  await step("another token gives other rights", async () => {
    await page.click(".tools .chip");
    await page.fill("#token", more.admin);
    await page.click("#token-ok");
    await page.waitForSelector(".tools >> text=admin");
    await go(page, "#/registers/plc1/hr/1130");
    await until(async () => await cell(page, 1130) === "-2.5", "level");
    await page.locator(".g-row:has(.c-name:text-is('level')) .c-value").dblclick();
    await page.keyboard.type("3");
    await page.keyboard.press("Enter");
    await until(async () => (await rpc("registers.read", { device: "plc1", table: "hr", addr: 1130, type: "declared" })).values[0] === 3, "3");
  });

  await step("events come with a token too; a reload keeps it, another tab has none", async () => {
    await go(page, "#/overview");
    await until(async () => {
      await rpc("transports.stop", { name: "udp1" });
      await rpc("transports.start", { name: "udp1" });
      return /udp1 is up/.test(await page.textContent(".events"));
    }, "an event", 15000);
    await page.reload();
    await page.waitForSelector(".cards .card");
    assert.equal(await page.locator("dialog").count(), 0);
    const other = await page.context().browser().newPage();
    await other.goto(base);
    await other.waitForSelector("dialog.token");
    await other.close();
  });
});
