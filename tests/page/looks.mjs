// SPDX-License-Identifier: Apache-2.0
// Pictures of every screen, and axe's opinion of it. What dark differs in is
// its colours.
import fs from "fs";
import { run, step, go, until, rpc, methods, assert, base, shots, require } from "./lib.mjs";

const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const screens = ["overview", "registers/plc1/hr/1100", "charts", "transports/tcp1", "clients", "traffic", "faults", "log", "configuration"];
const sizes = [[1280, 800], [320, 640], [3840, 1080]];

await run({ deviceScaleFactor: 1, bypassCSP: true }, async ({ page }) => {
  await page.addInitScript(() => localStorage.setItem("holdfast.pins", JSON.stringify([
    { device: "plc1", table: "hr", addr: 1100, format: "f32", order: "abcd", name: "flow", unit: "m3/h" },
    { device: "plc1", table: "hr", addr: 5, format: "u16", order: "abcd", name: "", unit: "" }])));
  await page.goto(base);
  const known = await methods();
  if (known.has("faults.add")) await rpc("faults.add", { transport: "udp1", exception: 6, rate_pct: 10, note: "for the picture" });
  await page.waitForSelector(".cards .card");
  await page.waitForTimeout(2500);
  await page.evaluate(axe);
  const found = [];
  for (const [width, height] of sizes) {
    await step(`${width} pixels`, async () => {
      await page.setViewportSize({ width, height });
      for (const screen of screens) {
        const id = screen.split("/")[0];
        await go(page, `#/${screen}`);
        await page.waitForSelector(`main[data-screen=${id}]`);
        await until(() => page.evaluate(() => !document.querySelector(".grid .g-body .g-row:not([hidden]) .c-value:not(:empty)") || ![...document.querySelectorAll(".g-row:not([hidden]) .c-value")].some((c) => c.textContent === "…")), "values");
        if (id === "charts") await page.waitForTimeout(400);
        if (id === "traffic" && await page.locator(".g-row:not([hidden]) .c-fc, .g-row:not([hidden]) .c-brief").count() > 4) {
          await page.keyboard.press("p");
          await page.locator(".g-body .g-row:not([hidden])").nth(3).click();
        }
        if (width === 320 && id === "registers") {
          // a tap shows the value in full, and what can be done with it
          await page.locator(".g-row:not([hidden]):has(.c-name:text-is('energy')) .c-value").click();
          await page.waitForSelector(".here:has-text('9007199254740993 Wh') >> [data-do=edit]");
        }
        if (width === 320 && id === "traffic")
          await until(async () => /^u1 FC\d/.test(await page.locator(".g-row:not([hidden]) .c-brief").first().textContent()), "frames in short");
        if (width === 320 && id === "log") {
          await page.locator(".g-row:not([hidden]) .c-line").first().click();
          await page.waitForSelector(".whole:has-text('supervisor:')");
        }
        if (width < 3840 && id === "configuration") {
          // a text that is pasted, and what it would change
          await page.click("[data-do=paste]");
          await page.click("[data-do=fill]");
          const text = await page.inputValue("#paste-text");
          await page.fill("#paste-text", text.replace('"tcp2"', '"tcp3"'));
          await page.click("[data-do=check-text]");
          await page.waitForSelector(".compare .came");
        }
        for (const scheme of ["light", "dark"]) {
          await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
          const wide = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth, document.querySelector("main").scrollWidth, document.querySelector("main").clientWidth]);
          assert.ok(wide[0] <= wide[1] && wide[2] <= wide[3], `${id} at ${width} is wider than it may be: ${wide}`);
          await page.screenshot({ path: `${shots}/${id}-${scheme}-${width}.png` });
          if (width === 3840 || (width === 320 && scheme === "dark")) continue;
          const r = await page.evaluate((o) => axe.run(document, { resultTypes: ["violations"], ...o }), scheme === "light" ? {} : { runOnly: ["color-contrast"] });
          for (const v of r.violations)
            found.push(`${v.impact} ${id} ${scheme} ${width}: ${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary.split("\n").slice(1, 2)}`).slice(0, 3).join(" | ")}`);
        }
      }
    });
  }
  const serious = found.filter((f) => /^(serious|critical)/.test(f));
  if (found.length) console.log(`axe: ${found.length} in all, ${serious.length} serious or critical\n${found.slice(0, 12).join("\n")}`);
  assert.deepEqual(serious, []);
});
