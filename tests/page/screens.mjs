// SPDX-License-Identifier: Apache-2.0
// Each screen does what it is for; what it says is held against what the
// daemon says over ZeroMQ, or against what a Modbus client sees.
import fs from "fs";
import { run, step, go, cell, until, ask, rpc, methods, assert, base, shots } from "./lib.mjs";

const f32 = (hi, lo) => new DataView(Uint8Array.of(hi >> 8, hi, lo >> 8, lo).buffer).getFloat32(0);
const hr = async (addr, count = 1, table = "hr") => (await rpc("registers.read", { device: "plc1", table, addr, count })).values;

async function saved(page, press) {
  const [download] = await Promise.all([page.waitForEvent("download"), press()]);
  const path = `${shots}/${download.suggestedFilename().replace(/-[\d-]+/, "")}`;
  await download.saveAs(path);
  return path;
}

await run({}, async ({ page }) => {
  await page.addInitScript(() => {
    window.rates = new Set();
    new MutationObserver(() => {
      for (const e of document.querySelectorAll(".card:has(.spark) b")) if (e.textContent === "tcp1") window.rates.add(e.closest(".card").querySelector(".big").textContent);
      window.rates.add(document.getElementById("fig-rate")?.textContent);
    }).observe(document, { childList: true, characterData: true, subtree: true });
  });
  await page.goto(base);
  const known = await (async () => methods())();

  await step("overview: rates and states are the daemon's", async () => {
    await until(async () => { const n = Number((await page.textContent("#fig-rate")).replace(/\s/g, "")); return n > 600 && n < 1400; }, "about 1000 requests a second");
    assert.equal(await page.evaluate(() => window.rates.has("0") || !window.rates.has("–")), false, "a rate before it is known");
    const list = await rpc("transports.list");
    for (const t of list)
      assert.match(await page.textContent(`.card:has(b:text-is("${t.name}"))`), /up/);
    assert.match(await page.textContent(".summary"), /All 3 transports are up/);
    assert.match(await page.textContent("#where"), new RegExp((await rpc("system.info")).store));
    // what was before the page was opened stands there too
    await until(async () => /tcp2 is up/.test(await page.textContent(".events")), "what the log remembers");
    await page.click('.columns a:text-matches("65.536")');
    await page.waitForURL(/#\/registers\/big\/hr/);
  });

  await step("registers: a deep link shows the value as declared, and in other formats", async () => {
    await go(page, "#/registers/plc1/hr/1130");
    await until(async () => await cell(page, 1130) === "-2.5", "level");
    assert.deepEqual([await cell(page, 1130, "name"), await cell(page, 1130, "unit"), await cell(page, 1130, "raw")], ["level", "m", "0000 c020"]);
    assert.equal(await cell(page, 1120), "9007199254740993");
    assert.equal(await cell(page, 1110), "PUMP 1");
    assert.equal(await cell(page, 1102), "65");
    await go(page, "#/registers/plc1/hr/1130?fmt=f32&order=cdab");
    await until(async () => await cell(page, 1130) === "-2.5", "level as f32 cdab");
    await page.selectOption("select[aria-label=Format]", "hex");
    await until(async () => await cell(page, 1130) === "0000" && await cell(page, 1131) === "c020", "level as hex");
    assert.match(page.url(), /fmt=hex/);
    await page.selectOption("select[aria-label=Format]", "declared");
  });

  await step("an address that leads nowhere is told, and put right", async () => {
    const live = () => page.textContent("#live");
    const gone = async (hash, words, url) => {
      await go(page, hash);
      await page.waitForSelector(`.toast.bad:has-text('${words}')`);
      await until(async () => (await live()).includes(words), "said aloud");
      await until(async () => page.url().endsWith(url), `${url}, not ${page.url()}`);
    };
    await gone("#/nix", "There is no screen nix.", "#/overview");
    assert.equal(await page.getAttribute("main", "data-screen"), "overview");
    await gone("#/traffic/nix", "There is no transport nix.", "#/traffic");
    await gone("#/registers/nix", "There is no device nix.", "#/registers/plc1/hr");
    await page.selectOption("select[aria-label=Device]", "big");
    await until(async () => await live() === "" && await page.locator(".toast.bad").count() === 0, "nothing wrong");
    await gone("#/registers/plc1/hr/99999", "There is no address 99999", "#/registers/plc1/hr/1130");
    await gone("#/registers/plc1/hr/5000", "Nothing is defined at hr:5000 of plc1", "#/registers/plc1/hr/1130");
    await gone("#/registers/plc1/xx", "There is no table xx", "#/registers/plc1/hr");
    await go(page, "#/registers/plc1/hr/1131");
    await until(async () => page.url().endsWith("/1130") && await live() === "" && await page.locator(".toast.bad").count() === 0, "nothing wrong with what is defined");
  });

  await step("registers: what changes lights up, what stays does not", async () => {
    await go(page, "#/registers/plc1/hr/1100");
    await until(async () => (await page.locator(".registers .g-row:has(.c-name:text-is('flow')) .c-value.changed").count()) === 1, "flow to change");
    assert.equal(await page.locator(".g-row:has(.c-name:text-is('tag')) .c-value.changed").count(), 0);
    // it moves meanwhile, and the page is a fifth of a second behind
    await until(async () => { const [a, b] = await hr(1100, 2); return Math.abs(Number(await cell(page, 1100)) - f32(a, b)) < 1; }, "flow's value");
  });

  const value = (name) => page.locator(`.registers .g-row:not([hidden]):has(.c-name:text-is('${name}')) .c-value`);

  await step("registers: an edit is written, undone and done again", async () => {
    await value("level").dblclick();
    await page.keyboard.type("7.25");
    await page.keyboard.press("Enter");
    await until(async () => { const [lo, hi] = await hr(1130, 2); return f32(hi, lo) === 7.25; }, "7.25 in the daemon");
    await until(async () => await cell(page, 1130) === "7.25", "7.25 on the page");
    await page.keyboard.press("Control+z");
    await until(async () => (await hr(1130, 2)).join() === "0,49184", "the old value in the daemon");
    await page.keyboard.press("Control+y");
    await until(async () => { const [lo, hi] = await hr(1130, 2); return f32(hi, lo) === 7.25; }, "7.25 again");
  });

  await step("registers: a scaled value is typed scaled, a wrong one is told why", async () => {
    await value("alarm_temp").dblclick();
    await page.keyboard.type("4000");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".error-tip:text-matches('from -3276.8 to 3276.7')");
    await page.locator(".g-cell input").fill("70.5");
    await page.keyboard.press("Enter");
    await until(async () => (await hr(1102))[0] === 705, "705 in the daemon");
  });

  await step("registers: undoing what somebody else has written since asks first", async () => {
    await rpc("registers.write", { device: "plc1", table: "hr", addr: 1102, values: [111] });
    await page.click("button:has-text('Undo') >> nth=0");
    await page.click("dialog button[value=no]");
    assert.equal((await hr(1102))[0], 111);
    await page.click(".toolbar button:has-text('Undo')");
    await page.click("dialog button[value=yes]");
    await until(async () => (await hr(1102))[0] === 650, "the first value");
  });

  await step("registers: coils switch, and the matrix shows them", async () => {
    await go(page, "#/registers/plc1/co/3000");
    await until(async () => await cell(page, 3000) === "0", "pump_on is off");
    await value("pump_on").focus();
    await page.keyboard.press("Space");
    await until(async () => (await hr(3000, 1, "co"))[0] === 1, "pump_on in the daemon");
    await go(page, "#/registers/plc1/co?view=matrix");
    const want = (await hr(64, 64, "co")).join("");
    await until(async () => (await page.evaluate(() => [...document.querySelectorAll(".g-body .g-row:not([hidden]) .c-m")].map((c) => c.textContent).join("").slice(64, 128))) === want, "coils in a matrix");
  });

  await step("registers: CSV holds every address as declared", async () => {
    await go(page, "#/registers/plc1/hr");
    const text = fs.readFileSync(await saved(page, () => page.click("button:has-text('CSV')")), "utf8").trim().split("\r\n");
    assert.equal(text[0], "table,addr,type,order,value,name,unit,scale,access,action");
    assert.equal(text.length, 1 + 1000 + 10 + 5);
    assert.ok(text.includes("hr,1120,uint64,abcd,9007199254740993,energy,Wh,,rw,"));
    assert.ok(text.some((l) => l.startsWith("hr,1110,string,abcd,PUMP 1,tag")));
  });

  if (known.has("registers.counts"))
    await step("registers: reads and writes are counted where the device does", async () => {
      await page.setViewportSize({ width: 1700, height: 800 });
      const r = await rpc("registers.counts", { device: "plc1", table: "hr", addr: 20, count: 1 });
      await go(page, "#/registers/plc1/hr/20");
      await until(async () => Number((await cell(page, 20, "reads") || "").replace(/\s/g, "")) >= r.reads[0], "counters");
      assert.ok(r.reads[0] > 0);
      await go(page, "#/registers/big/hr/0");
      await until(async () => await page.getAttribute("[role=grid]", "aria-label") === "holding registers of big" && await cell(page, 0) === "0" && await page.locator(".c-reads, .c-writes").count() === 0, "no columns where the device does not count");
      await page.setViewportSize({ width: 1280, height: 800 });
    });

  await step("charts: a pinned value is drawn, paused, zoomed and saved", async () => {
    await go(page, "#/registers/plc1/hr/1100");
    await until(async () => /^\d/.test(await cell(page, 1100) || ""), "flow");
    await value("flow").focus();
    await page.keyboard.press("p");
    await go(page, "#/charts");
    const now = () => page.locator("tr:has-text('flow') td.num").first().textContent();
    const add = async (what) => { await page.fill("input[list=pick-list]", what); await page.keyboard.press("Enter"); };
    // more of them, by name and by address; each unit has its scale
    await until(async () => await page.locator("#pick-list option[value=level]").count() === 1, "names to choose from");
    await add("level");
    await add("plc1/hr:1000+2");
    await page.waitForSelector("tr:has-text('plc1/hr:1001')");
    await add("plc1/xx:7");
    await page.waitForSelector(".toast:has-text('neither a name here nor an address')");
    await add("plc1/hr:1050");
    await page.waitForSelector(".toast:has-text('There is nothing at hr:1050')");
    // they lie over the figures, and stay for who reads them
    await page.evaluate(() => document.querySelectorAll(".toast [aria-label=Dismiss]").forEach((b) => b.click()));
    const axes = () => page.locator(".u-axis").count();
    assert.equal(await axes(), 1 + 4);
    await page.selectOption("select[aria-label=Scales]", "one");
    assert.equal(await axes(), 1 + 1);
    await page.selectOption("select[aria-label=Scales]", "unit");
    // what stood under the cursor, by mouse and by key
    await until(async () => { const x = Number(await now()); return x > 365 && x < 435; }, "flow's value");
    let over;
    await until(async () => { // a chart that is laid out anew has forgotten where the mouse was
      over = await page.locator(".u-over").boundingBox();
      await page.mouse.move(over.x + over.width - 40, over.y + 40);
      await page.mouse.move(over.x + over.width - 4, over.y + 40);
      return await page.locator(".chart-tip:has-text('flow'):has-text('48879'):visible").count() === 1;
    }, "what stood under the cursor");
    assert.match(await page.locator("tr:has-text('plc1/hr:1001') td[data-label='at the cursor']").textContent(), /48879/);
    await page.mouse.move(over.x - 30, over.y - 30);
    await page.waitForSelector(".chart-tip", { state: "hidden" });
    await page.focus(".chart-host");
    await page.keyboard.press("ArrowLeft");
    await page.waitForSelector(".chart-tip:has-text('48879')");
    for (const name of ["level", "plc1/hr:1000", "plc1/hr:1001"]) await page.click(`button[aria-label='Unpin ${name}']`);
    await until(async () => { const x = Number(await now()); return x > 365 && x < 435; }, "flow's value");
    await until(async () => page.evaluate(() => { const c = document.querySelector(".uplot canvas"); const d = c.getContext("2d").getImageData(c.width / 2, 0, c.width / 2, c.height).data; const s = getComputedStyle(document.documentElement).getPropertyValue("--s1").trim(); const [r, g, b] = [1, 3, 5].map((i) => parseInt(s.slice(i, i + 2), 16)); let n = 0; for (let i = 0; i < d.length; i += 4) if (Math.abs(d[i] - r) + Math.abs(d[i + 1] - g) + Math.abs(d[i + 2] - b) < 60) n++; return n > 2; }), "a line in its colour");
    await page.click("[data-s='30']");
    await page.click("button:has-text('Pause')");
    const still = await now();
    await page.waitForTimeout(700);
    assert.equal(await now(), still);
    await page.click("button:has-text('Go on')");
    const box = await page.locator(".u-over").boundingBox();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.9, box.y + 60, { steps: 4 });
    await page.mouse.up();
    await page.waitForSelector("button:has-text('Back to now'):visible");
    await page.click("button:has-text('Back to now')");
    const lines = fs.readFileSync(await saved(page, () => page.click("button:has-text('CSV')")), "utf8").trim().split("\r\n");
    assert.equal(lines[0], "time,flow [m3/h]");
    assert.ok(lines.length > 4 && Number(lines.at(-1).split(",")[1]) > 300);
    await page.click("button[aria-label='Unpin flow']");
    await page.waitForSelector("text=Nothing is pinned yet");
  });

  await step("transports: stopped, started, restarted, and all counters", async () => {
    await go(page, "#/transports/tcp2");
    const state = async () => (await rpc("transports.list")).find((t) => t.name === "tcp2").state;
    await page.click("button[aria-label='stop tcp2']");
    await until(async () => await state() === "stopped", "tcp2 to stop");
    await page.waitForSelector("tr:has-text('tcp2') >> text=stopped");
    await go(page, "#/overview");
    await page.waitForSelector(".summary:has-text('tcp2 is stopped; 2 of 3 transports are up')");
    await go(page, "#/transports/tcp2");
    await page.click("button[aria-label='start tcp2']");
    await until(async () => await state() === "up", "tcp2 to start");
    // what has just been of use is not stopped without a question
    await ask("read", "tcp2", 0);
    await until(async () => Number(await page.locator("tr:has-text('tcp2') td[data-label='requests/s']").textContent()) > 0, "its request");
    await page.click("button[aria-label='stop tcp2']");
    await page.waitForSelector("dialog:has-text('It has answered requests in the last 10 seconds')");
    await page.click("dialog button[value=no]");
    assert.equal(await state(), "up");
    await page.click("button[aria-label='stop tcp2']");
    await page.click("dialog button[value=yes]");
    await until(async () => await state() === "stopped", "tcp2 to stop");
    // and stopping can be taken back
    await page.click(".toast:has-text('tcp2 is stopped') button:has-text('Start again')");
    await until(async () => await state() === "up", "tcp2 to start again");
    await page.waitForSelector("tr:has-text('tcp2') >> .state-cell:has-text('up')");
    await ask("connect", "tcp2");
    await until(async () => await page.locator("tr:has-text('tcp2') td[data-label=clients]").textContent() === "1", "a client of tcp2");
    await page.click("button[aria-label='restart tcp2']");
    await page.click("dialog button[value=yes]");
    await page.waitForSelector(".toast:has-text('tcp2 is up')");
    await go(page, "#/transports/tcp1");
    await page.waitForSelector("text=03 read holding registers");
    await page.waitForSelector("dt:text-is('bytes in')");
  });

  await step("a worker that died and is back is told so, and the alarm goes", async () => {
    const pid = await ask("kill_worker", "tcp2");
    await page.waitForSelector(".toast:has-text('tcp2 died (signal 9) and is back')");
    await until(async () => await page.locator(".toast.bad:has-text('tcp2')").count() === 0, "no alarm");
    assert.notEqual((await rpc("transports.list")).find((t) => t.name === "tcp2").pid, pid);
  });

  await step("a death that no event has told of is told all the same", async () => {
    await page.route("**/api/v1/stream**", (route) => route.abort());
    await page.reload();
    await until(async () => /transports/.test(await page.textContent("#figures")) && await page.locator("tr:has-text('tcp2') .state-cell:has-text('up')").count() === 1, "the screen");
    await ask("kill_worker", "tcp2");
    await page.waitForSelector(".toast:has-text('tcp2 died (signal 9) and is back')");
    // nobody looks: what was said stays until somebody does
    await page.evaluate(() => Object.defineProperty(document, "hidden", { value: true, configurable: true }));
    await page.waitForTimeout(4500);
    assert.equal(await page.locator(".toast:has-text('and is back')").count(), 1);
    await page.unroute("**/api/v1/stream**");
    await page.reload();
  });

  await step("clients: who is there, and shown the door", async () => {
    const port = await ask("connect", "tcp2");
    await go(page, "#/clients/tcp2");
    const row = `tr:has-text('127.0.0.1:${port}')`;
    await page.waitForSelector(row);
    await page.fill("input[type=search]", String(port));
    await until(async () => await page.locator("tbody tr").count() === 1, "only that one");
    await page.click(`${row} button:has-text('Kick')`);
    await page.click("dialog button[value=yes]");
    assert.equal(await ask("closed"), true);
    await until(async () => await page.locator(row).count() === 0, "the row to go");
  });

  await step("clients: who is kept out for what workers died of, and let in again", async () => {
    await go(page, "#/clients");
    assert.equal(await page.locator("#kept-out").isVisible(), false);
    assert.equal(await ask("poison", "udp1", "127.0.0.9"), "000100000003" + "01c104");
    const row = "#kept-out tr:has-text('127.0.0.9')";
    await page.waitForSelector(`${row}:has-text('kept out')`);
    assert.match(await page.textContent(row), /udp1.*unit 1, 65 ?: 41010000/);
    await page.click(`${row} button:has-text('Let in')`);
    await page.click("dialog button[value=yes]");
    await page.waitForSelector(".toast:has-text('127.0.0.9 may ask again')");
    await until(async () => !await page.locator("#kept-out").isVisible(), "the panel to go");
    assert.deepEqual(await rpc("quarantine.list"), []);
  });

  await step("traffic: filtered, taken apart, and a file for Wireshark", async () => {
    await go(page, "#/traffic");
    await until(async () => await page.locator(".g-body .g-row:not([hidden])").count() > 5, "frames");
    await page.fill("input[type=search]", "fc==3 && exceptionn==2");
    await page.waitForSelector("text=column 10");
    await page.fill("input[type=search]", "exception==2");
    await until(async () => await page.locator(".g-body .g-row.is-exception:not([hidden])").count() > 3, "exceptions");
    assert.equal(await page.locator(".g-body .g-row:not([hidden]):not(.is-exception)").count(), 0);
    const order = await page.evaluate(() => [...document.querySelectorAll(".g-body .g-row:not([hidden])")].map((r) => Number(r.getAttribute("aria-rowindex"))));
    assert.ok(order.every((n, i) => !i || n > order[i - 1]), `in their order: ${order}`);
    assert.match(page.url(), /filter=exception/);
    await page.fill("input[type=search]", "fc==16 && direction==in");
    await until(async () => await page.locator(".g-body .g-row:not([hidden]) .c-fc:has-text('16 write')").count() > 3, "writes");
    await page.locator(".g-body .g-row:not([hidden])").nth(2).click();
    const line = page.locator(".tree-line:has(.k:text-is('address'))");
    assert.match(await line.textContent(), /address1100/);
    await line.hover();
    assert.equal((await page.locator(".hexdump .lit").allTextContents()).join(""), "044c");
    await page.locator(".hexdump > span:not(.off):not(.chars)").nth(7).hover();
    assert.match(await page.locator(".tree .lit").textContent(), /function16/);
    const path = await saved(page, () => page.click("button[data-do=pcap]"));
    const frames = await ask("tshark", path);
    if (frames) {
      assert.ok(frames.length > 3);
      for (const f of frames) assert.match(f, /Modbus\/TCP\s+Query.*Write Multiple Registers/);
    }
  });

  if (known.has("faults.add")) {
    await step("faults: a rule is felt by a client, seen everywhere, and cleared", async () => {
      await go(page, "#/faults");
      await page.waitForSelector("text=No fault is being injected");
      await page.selectOption("#f-transport", "tcp2");
      await page.fill("#f-fc", "3");
      await page.fill("#f-exception", "6 server device busy");
      assert.match(await page.textContent(".sentence"), /Of tcp2, FC 3: exception 6 \(server device busy\), until it is cleared/);
      await page.click("#fault-add");
      await until(async () => await ask("read", "tcp2", 0) === -6, "exception 6");
      assert.ok(await ask("read", "tcp1", 1000) === 48879);
      await page.waitForSelector("[data-banner=faults] >> text=A fault is being injected");
      await go(page, "#/overview");
      await page.waitForSelector("[data-banner=faults] >> text=exception 6");
      await go(page, "#/faults");
      await until(async () => Number(await page.locator("tr[data-rule] td[data-label=hits]").textContent()) >= 1, "its hits");
      await page.click("tr[data-rule] button");
      await until(async () => await ask("read", "tcp2", 0) >= 0, "no exception");
      await until(async () => await page.locator("[data-banner=faults]").count() === 0, "no banner");
    });
    await step("faults: every effect and selector reaches the daemon", async () => {
      const want = { transport: "udp1", unit: 1, fc: [3, 4], range: [100, 103], rate_pct: 25, count: 7, delay_ms: 5, split_ms: 3, change_pct: 50, change_rate_pct: 0.5, wrong_unit: true, note: "a test" };
      await go(page, "#/faults?transport=udp1&unit=1&fc=3,4&range=100-103&rate_pct=25&count=7&expires_s=600&delay_ms=5&split_ms=3&change_pct=50&change_rate_pct=0.5&wrong_unit=1&note=a%20test");
      await until(async () => /other values in 50 % of the registers or bits, in 0.5 % of the replies/.test(await page.textContent(".sentence")), "the sentence");
      await page.click("#fault-add");
      const rule = await until(async () => (await rpc("faults.list"))[0], "the rule");
      for (const [k, v] of Object.entries(want)) {
        const got = k === "range" && typeof rule[k] === "string" ? v : rule[k];
        assert.deepEqual(got, v, k);
      }
      assert.ok(rule.expires_in_s > 590 && rule.expires_in_s <= 600);
      await page.click("[data-banner=faults] button:has-text('Clear all')");
      await until(async () => (await rpc("faults.list")).length === 0, "none left");
    });
    await step("faults: any exception, by code or by name", async () => {
      await page.fill("#f-change_rate_pct", "3");
      await until(async () => /say also in what share/.test(await page.textContent(".sentence")), "what is missing");
      await page.click("button[type=reset]");
      for (const [typed, code] of [["200", 200], ["illegal_data_address", 2]]) {
        await page.selectOption("#f-transport", "tcp2");
        await page.fill("#f-exception", "256");
        assert.match(await page.textContent(".sentence"), /from 1 to 255/);
        await page.fill("#f-exception", typed);
        await page.click("#fault-add");
        await until(async () => await ask("read", "tcp2", 0) === -code, `exception ${code}`);
        await page.click("[data-banner=faults] button:has-text('Clear all')");
        await until(async () => (await rpc("faults.list")).length === 0, "none left");
      }
    });
  } else {
    await step("faults: a daemon that has none is told so", async () => {
      await go(page, "#/faults");
      await page.waitForSelector("text=This daemon cannot inject faults");
    });
  }

  await step("log: the daemon's lines, by level and by word", async () => {
    await go(page, "#/log");
    const lines = (await rpc("log.read", {})).lines;
    await until(async () => /^\d/.test(await page.locator(".toolbar .muted").textContent()) && parseInt(await page.locator(".toolbar .muted").textContent()) >= lines.length, "all lines");
    await page.fill("input[type=search]", "tcp2 stopped");
    const want = lines.filter((l) => `${l.who} ${l.line}`.toLowerCase().includes("tcp2 stopped")).length;
    await until(async () => parseInt(await page.locator(".toolbar .muted").textContent()) === want && want > 0, `${want} lines`);
    assert.ok(await page.locator(".g-body mark").count() > 0);
    await page.fill("input[type=search]", "");
    await page.click("[data-level=error]");
    const errors = lines.filter((l) => l.level === "error").length;
    await until(async () => parseInt(await page.locator(".toolbar .muted").textContent()) === errors, "errors only");
  });

  if (known.has("config.get"))
    await step("configuration: in force, checked, reloaded", async () => {
      await go(page, "#/configuration");
      const r = await rpc("config.get");
      await until(async () => (await page.locator(".code").textContent()).includes('"alarm_temp"'), "the text");
      assert.equal(await page.locator(".code > span").count(), r.text.replace(/\n$/, "").split("\n").length);
      await page.click("[data-do=check]");
      await page.waitForSelector("text=is right, and is what runs");
      const text = await ask("conf");
      await ask("rewrite", text.replace('"tcp2"', '"tcp3"'));
      await page.click("[data-do=check]");
      await page.waitForSelector(".diff >> text=tcp3");
      await page.waitForSelector(".diff >> text=tcp2");
      await page.waitForSelector("text=is right. It differs from what runs");
      // line by line, with signs
      const changed = (sign, words) => page.locator(`.compare .${sign}:has-text('${words}')`);
      await until(async () => await changed("went", '"tcp2"').count() === 1 && await changed("came", '"tcp3"').count() === 1, "the lines");
      assert.match(await changed("went", '"tcp2"').locator(".sign").textContent(), /^-goes/);
      assert.match(await changed("came", '"tcp3"').locator(".sign").textContent(), /^[+]comes/);
      assert.equal(await page.locator(".compare .went").count(), await page.locator(".compare .came").count());
      await page.click("[aria-label='What was found'] [aria-label=Close]");
      // a text that is pasted, its mistakes with their places
      await page.click("[data-do=paste]");
      await page.fill("#paste-text", text.replace('"tcp2"', '"tcp4"'));
      await page.click("[data-do=check-text]");
      await page.waitForSelector("text=This text is right. It differs");
      await until(async () => await changed("came", '"tcp4"').count() === 1, "the lines of the text");
      assert.equal(await page.locator(".compare:has-text('tcp3')").count(), 0);
      await page.fill("#paste-text", '{\n  "devices": {},\n  "transprots": {}\n}');
      await page.keyboard.press("Control+Enter");
      await page.waitForSelector(".mistakes li:has-text('did you mean')");
      await page.click(".mistakes button:has-text('line 3, column 3')");
      assert.equal(await page.evaluate(() => { const a = document.activeElement; return a.value.slice(a.selectionStart, a.selectionEnd); }), '"transprots": {}');
      await page.click("[data-do=fill]");
      await page.click("[data-do=check-text]");
      await page.waitForSelector("text=This text is right, and is what runs");
      await page.click("[data-do=paste]");
      await page.click("[data-do=reload]");
      await page.waitForSelector("dialog >> text=Only what has changed is restarted");
      await page.click("dialog button[value=yes]");
      await page.waitForSelector("text=Reloaded");
      await page.waitForSelector(".diff >> text=tcp3");
      await page.waitForSelector(".diff >> text=tcp2");
      assert.ok((await rpc("config.get")).text.includes('"tcp3"'));
      // what a reload cannot apply is refused with the reason
      const named = JSON.parse(text);
      named.store = { ...named.store, name: "another" };
      await ask("rewrite", JSON.stringify(named));
      await page.click("[data-do=reload]");
      await page.click("dialog button[value=yes]");
      await page.waitForSelector("text=Not reloaded; what runs goes on as it is");
      await page.waitForSelector(".bad-text >> text=its name changes only");
      assert.ok((await rpc("config.get")).text.includes('"tcp3"'));
      await ask("rewrite", text.replace('"transports"', '"transporst"'));
      await page.click("[data-do=check]");
      await page.waitForSelector("text=did you mean");
      await ask("rewrite", text);
      await page.click("[data-do=reload]");
      await page.click("dialog button[value=yes]");
      await page.waitForSelector("text=Reloaded");
    });
  else
    await step("configuration: a daemon that does not tell is said so", async () => {
      await go(page, "#/configuration");
      await page.waitForSelector("text=does not know config.get");
    });

  await step("only what is visible is asked for, and not too often", async () => {
    await go(page, "#/registers/big/hr");
    await page.waitForTimeout(300);
    const asked = [];
    page.on("request", (r) => { if (r.url().endsWith("/rpc")) asked.push(...[JSON.parse(r.postData())].flat()); });
    await page.waitForTimeout(2000);
    const reads = asked.filter((c) => c.method === "registers.read");
    assert.ok(reads.length >= 1 && reads.length <= 20, `${reads.length} reads in 2 s`);
    for (const c of reads) assert.ok(c.params.count < 120, JSON.stringify(c.params));
    assert.ok(!asked.some((c) => ["connections.list", "stats.get", "trace.read", "log.read"].includes(c.method)));
  });
});
