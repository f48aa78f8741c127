// SPDX-License-Identifier: Apache-2.0
// A browser with one page of the daemon, and a line to tests/sys_page.py for
// what is wanted of the world outside it.
import { createRequire } from "module";
import { createInterface } from "readline";
import assert from "assert/strict";

const require = createRequire(process.env.PAGE_NPM + "/");
const { chromium } = require("playwright-core");

export const base = process.env.PAGE_URL;
export const more = JSON.parse(process.env.PAGE_MORE || "{}");
export const shots = process.env.PAGE_SHOTS;
export { assert, require };

const lines = createInterface({ input: process.stdin });
const replies = lines[Symbol.asyncIterator]();

export async function ask(name, ...args) {
  process.stdout.write(`ASK ${JSON.stringify([name, ...args])}\n`);
  return JSON.parse((await replies.next()).value);
}

// What the daemon says over its other door.
export async function rpc(method, params = {}) {
  const r = await ask("rpc", method, params);
  if (r.error) throw new Error(r.error.message);
  return r.result;
}

// Waits until fn gives something true, and returns that. A machine that is slow,
// or has much else to do, is given ten times ms.
export async function until(fn, what, ms = 8000) {
  const began = Date.now();
  for (;;) {
    let got, why = "";
    try { got = await fn(); } catch (e) { why = e.message; }
    if (got) return got;
    if (Date.now() - began > 10 * ms) throw new Error(`not in ${Date.now() - began} ms: ${what} ${why}`);
    await new Promise((r) => setTimeout(r, 25));
  }
}

export async function open(options = {}) {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true, ...options });
  const wrong = [];
  // nothing may be asked of anybody but the daemon
  context.on("request", (r) => {
    if (!r.url().startsWith(base) && !/^(blob|data):/.test(r.url())) wrong.push(`asked for ${r.url()}`);
  });
  const page = await context.newPage();
  page.on("pageerror", (e) => wrong.push(`threw ${e.stack}`));
  page.on("console", (m) => {
    if (m.type() === "error" && !/Failed to load resource|ERR_/.test(m.text())) wrong.push(`said ${m.text()}`);
  });
  page.setDefaultTimeout(200000); // of a machine that has much else to do
  return { browser, context, page, wrong };
}

export async function run(options, fn) {
  const began = Date.now();
  let b;
  try {
    b = await open(options);
    await fn(b);
    assert.deepEqual(b.wrong, [], "the page");
    await b.browser.close();
    console.log(`done in ${((Date.now() - began) / 1000).toFixed(1)} s`);
    process.exit(0);
  } catch (e) {
    console.log(e.stack);
    if (b) {
      console.log("also:", b.wrong.join("; "));
      await b.page.screenshot({ path: `${shots}/failed-${process.env.PAGE_NAME}.png` }).catch(() => {});
      await b.browser.close().catch(() => {});
    }
    process.exit(1);
  }
}

export async function step(title, fn) {
  const began = Date.now();
  try {
    await fn();
  } catch (e) {
    console.log(`FAILED ${title}`);
    throw e;
  }
  console.log(`${title} (${Date.now() - began} ms)`);
}

export const go = (page, hash) => page.evaluate((h) => { location.hash = h; }, hash);

// The text of a cell of the row of registers that begins at an address.
export async function cell(page, addr, id = "value") {
  return page.evaluate(([a, k]) => {
    for (const row of document.querySelectorAll(".registers .g-body .g-row:not([hidden])")) {
      const at = row.querySelector(".c-addr");
      if (at && at.textContent === String(a)) return row.querySelector(`.c-${k}`).textContent;
    }
    return null;
  }, [addr, id]);
}

export const methods = async () => new Set((await rpc("system.methods")).map((m) => m.name));
