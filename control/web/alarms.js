// SPDX-License-Identifier: Apache-2.0
// What happens to transports and faults: said aloud and shown wherever one is,
// and kept for the overview, which begins with what the log still holds.

import { toast } from "./dom.js";
import { rpc, listen, link } from "./rpc.js";
import { model, ready, stateWords, stateIcon, stateClass } from "./model.js";
import { describeFault } from "./faultwords.js";

const alarms = new Map(); // transport -> { end, why } of what has not passed
const deaths = new Map(); // transport -> of how many we know
const told = new Map(); // transport -> when a death was told last
const TOGETHER_MS = 3000; // an event and a count that differ less are one death

const cause = (why) => (why || "").replace(/ \(.*/, "");

function back(name, why) {
  told.set(name, performance.now());
  toast(why ? `${name} died (${why}) and is back` : `${name} is back`, "info");
}

// On the way to what is told a moment later.
const passing = (e) => ["starting", "draining"].includes(e.state);

function stateLine(e) {
  return `${e.name} is ${stateWords(e)}${e.was ? `, was ${stateWords({ state: e.was })}` : ""}${e.why ? `: ${e.why}` : ""}`;
}

function changed(e) {
  if (!passing(e)) model.note(e.at, stateIcon(e), stateLine(e));
  const alarm = alarms.get(e.name);
  if (alarm) alarm.end();
  alarms.delete(e.name);
  if (stateClass(e) === "bad" || stateClass(e) === "warn") {
    told.set(e.name, performance.now());
    alarms.set(e.name, { end: toast(`${e.name} is ${stateWords(e)}${e.why ? `: ${e.why}` : ""}`, "bad"), why: cause(e.why) || (alarm && alarm.why) });
  } else if (alarm && e.state === "starting") {
    alarms.set(e.name, { end: () => {}, why: alarm.why });
  } else if (alarm && e.state === "up") {
    back(e.name, alarm.why);
  }
  model.refresh().catch(() => {});
}

// Events are lost while their stream is cut; the count of deaths is not.
function counted() {
  for (const t of model.transports) {
    const known = deaths.get(t.name);
    if (stateClass(t) !== "ok") continue;
    deaths.set(t.name, t.restarts);
    const alarm = alarms.get(t.name);
    if (alarm && alarm.missed && performance.now() - alarm.missed > TOGETHER_MS) {
      // up again, and the event that says so has not come
      alarm.end();
      alarms.delete(t.name);
    } else if (alarm && !alarm.missed) {
      alarm.missed = performance.now();
    }
    if (known !== undefined && t.restarts > known && !alarm &&
        performance.now() - (told.get(t.name) || -TOGETHER_MS) >= TOGETHER_MS)
      back(t.name, cause(t.last_exit));
  }
}

// A line of the log as something that happened, or null.
function fromLog(l) {
  const m = /^transport (\S+) ([a-z]+)(?: .*?\bwas=([a-z]+))?(?:.* why="([^"]*)")?/.exec(l.line);
  if (m && /^(up|stopped|starting|draining|backoff|failed)$/.test(m[2])) {
    const e = { name: m[1], state: m[2], was: m[3], why: m[4] };
    return passing(e) ? null : { at: l.at, icon: stateIcon(e), line: stateLine(e) };
  }
  const f = /^fault (\w+) id=(\d+)(.*)/.exec(l.line);
  if (f) return { at: l.at, icon: "faults", line: `fault ${f[2]} ${f[1]}${f[3] ? `:${f[3]}` : ""}` };
  if (l.who === "supervisor" && /^(ready$|holdfastd |configuration|asked to)/.test(l.line)) return { at: l.at, icon: "info", line: l.line };
  // a death is told by what became of it
  if (/^\S+: died pid=/.test(l.line)) return null;
  if (/^(warn|error|fatal)/.test(l.level)) return { at: l.at, icon: l.level === "warn" ? "warn" : "failed", line: `${l.who}: ${l.line}` };
  return null;
}

async function recall() {
  if (!model.knows("log.read")) return;
  const { lines } = await rpc("log.read", { limit: 1000, level: "info" });
  model.recall(lines.map(fromLog).filter(Boolean));
}

export function watchAlarms() {
  listen("transports.", changed);
  listen("faults", (e) => {
    model.note(e.at, "faults", `fault ${e.id} ${e.event}${e.rule ? `: ${describeFault(e.rule)}` : ""}`);
    model.refresh().catch(() => {});
  });
  model.on("status", counted);
  // another daemon, or the same after it was gone: from the beginning
  model.on("ready", () => {
    for (const alarm of alarms.values()) alarm.end();
    for (const map of [alarms, deaths, told]) map.clear();
  });
  ready().then(recall).catch(() => {});
  link.addEventListener("change", () => { if (link.state === "up" && model.pid) recall().catch(() => {}); });
}
