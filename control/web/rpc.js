// SPDX-License-Identifier: Apache-2.0
// Speaks with the daemon: JSON-RPC 2.0 over POST /api/v1/rpc, events over
// GET /api/v1/stream. Calls that are made in the same turn travel as one
// batch. Knows whether the daemon is there, and finds it again by itself;
// everything else only asks `link` and listens to its "change".

const RPC = "api/v1/rpc";
const STREAM = "api/v1/stream";
const READ_MS = 6000; // an answer to a question takes no longer
const LATE_MS = 1500; // without an answer: what is shown is old
const ORDER_MS = 120000; // a transport may drain for long
const BATCH = 256; // calls in one message

export class RpcError extends Error {
  constructor(error) {
    super(error.message || "the daemon refused");
    this.code = error.code;
    this.reason = (error.data && error.data.reason) || error.reason || "";
    this.data = error.data || {};
  }
}

// Nobody answered. Screens need not say so: the page does, once.
export class Gone extends Error {}

// What went wrong in words; gone: those for no answer.
export const said = (e, gone = "No answer") => (e instanceof Gone ? gone : e.message);

class Link extends EventTarget {
  constructor() {
    super();
    this.state = "starting"; // "up", "gone"
    this.heard = null; // Date of the last answer
    this.why = "";
    this.tries = 0;
  }

  set(state, why = "") {
    this.why = why;
    if (state === "up") {
      this.heard = new Date();
      this.tries = 0;
    } else if (state === "gone") {
      this.tries++;
      if (this.state !== "gone") retry();
    }
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}

export const link = new Link();

// A token lives as long as the tab, unless it is to be remembered.
export const token = {
  get() {
    return sessionStorage.getItem("holdfast.token") ||
      localStorage.getItem("holdfast.token") || "";
  },
  set(value, remember) {
    sessionStorage.removeItem("holdfast.token");
    localStorage.removeItem("holdfast.token");
    if (value)
      (remember ? localStorage : sessionStorage).setItem("holdfast.token", value);
    link.dispatchEvent(new Event("token"));
  },
};

function headers(more) {
  const all = { ...more };
  const t = token.get();
  if (t) all.Authorization = `Bearer ${t}`;
  return all;
}

async function post(body, ms) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), ms);
  const late = ms === ORDER_MS ? 0 : setTimeout(() => link.set("gone", "no answer"), LATE_MS);
  let response, answer;
  try {
    response = await fetch(RPC, {
      method: "POST", headers: headers({ "Content-Type": "application/json" }),
      body: JSON.stringify(body), signal: abort.signal, cache: "no-store",
    });
    answer = await response.text();
  } catch (e) {
    link.set("gone", abort.signal.aborted ? "no answer in time" : "no connection");
    throw new Gone(link.why);
  } finally {
    clearTimeout(timer);
    clearTimeout(late);
  }
  if (response.status === 401) {
    link.set("up");
    link.dispatchEvent(new Event("unauthorized"));
    throw new RpcError({ message: "a token is needed", reason: "token" });
  }
  let json;
  try {
    json = JSON.parse(answer);
  } catch {
    json = null;
  }
  if (json === null || response.status >= 500) {
    link.set("gone", `answered ${response.status}`);
    throw new Gone(link.why);
  }
  link.set("up");
  return json;
}

let nextId = 1;
let waiting = [];

function settle(call, answer) {
  if (answer && "result" in answer) return call.done(answer.result);
  call.fail(new RpcError((answer && answer.error) || { message: "no answer" }));
}

async function send(calls, ms) {
  const one = ({ id, method, params }) => ({ jsonrpc: "2.0", id, method, params });
  try {
    const body = calls.length === 1 ? one(calls[0]) : calls.map(one);
    const answer = await post(body, ms);
    const list = Array.isArray(answer) ? answer : [answer];
    const byId = new Map(list.map((a) => [a.id, a]));
    // an error of the message as a whole has no id, and is everybody's
    const all = list.length === 1 && list[0].id == null ? list[0] : null;
    for (const call of calls) settle(call, byId.get(call.id) || all);
  } catch (e) {
    for (const call of calls) call.fail(e);
  }
}

function flush() {
  const calls = waiting;
  waiting = [];
  for (let i = 0; i < calls.length; i += BATCH)
    send(calls.slice(i, i + BATCH), READ_MS);
}

// Asks; resolves to the result. order: something that may take its time, and
// so travels alone rather than keep a batch waiting.
export function rpc(method, params = {}, { order = false } = {}) {
  return new Promise((done, fail) => {
    const call = { id: nextId++, method, params, done, fail };
    if (order) return send([call], ORDER_MS);
    if (waiting.length === 0) queueMicrotask(flush);
    waiting.push(call);
  });
}

// Gets a file that the daemon makes: its bytes, and the headers with them.
export async function fetchFile(name, params) {
  let response, bytes;
  try {
    response = await fetch(`api/v1/${name}?${new URLSearchParams(params)}`, {
      headers: headers({}), signal: AbortSignal.timeout(READ_MS), cache: "no-store",
    });
    bytes = await response.arrayBuffer();
  } catch {
    throw new Gone("no answer");
  }
  if (response.ok) return { bytes, headers: response.headers };
  let json = null;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // words, or nothing: then its status tells
  }
  throw new RpcError((json && json.error) || { message: `answered ${response.status}` });
}

// While it is gone: asks for a sign of life, ever more patiently.
function retry() {
  const wait = Math.min(500 + link.tries * 250, 3000);
  setTimeout(async () => {
    try {
      await post({ jsonrpc: "2.0", id: 0, method: "system.ping" }, 3000);
    } catch {
      if (link.state === "gone") retry();
    }
  }, wait);
}

// Calls fn at most every ms while the page is looked at and the daemon is
// there, never twice at a time. Returns what ends it.
export function every(ms, fn) {
  let ended = false, timer = 0, running = false;
  const turn = async () => {
    timer = 0;
    if (ended || running || document.hidden || link.state === "gone") return;
    running = true;
    const began = performance.now();
    try {
      await fn();
    } catch (e) {
      if (!(e instanceof Gone) && !(e instanceof RpcError)) console.error(e);
    }
    running = false;
    if (!ended && !timer)
      timer = setTimeout(turn, Math.max(ms - (performance.now() - began), 20));
  };
  const wake = () => { if (!timer && !running) turn(); };
  document.addEventListener("visibilitychange", wake);
  link.addEventListener("change", wake);
  turn();
  return () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", wake);
    link.removeEventListener("change", wake);
  };
}

// Events. One stream for the page, of all topics that somebody listens to;
// fetch rather than EventSource, which cannot send a token.
const listeners = new Set();
let stream = null, restart = 0;

export function listen(topic, fn) {
  const l = { topic, fn };
  listeners.add(l);
  soon();
  return () => { listeners.delete(l); soon(); };
}

function soon(ms = 50) {
  clearTimeout(restart);
  restart = setTimeout(connect, ms);
}

link.addEventListener("change", () => { if (link.state === "up" && !stream) soon(); });
link.addEventListener("token", () => soon());

async function connect() {
  const topics = [...new Set([...listeners].map((l) => l.topic))].sort().join(",");
  if (stream && stream.topics === topics && !stream.old) return;
  if (stream) stream.abort.abort();
  stream = null;
  if (!topics || link.state === "gone") return;
  const mine = stream = { topics, abort: new AbortController() };
  try {
    const response = await fetch(`${STREAM}?topics=${encodeURIComponent(topics)}`, {
      headers: headers({ Accept: "text/event-stream" }),
      signal: mine.abort.signal, cache: "no-store",
    });
    if (!response.ok) throw new Error(`answered ${response.status}`);
    await read(response.body.getReader());
  } catch {
    // closed, refused or cut: the same to us
  }
  if (stream !== mine) return;
  stream = null;
  soon(2000);
  // a stream that ends is the first sign of a daemon that went
  rpc("system.ping").catch(() => {});
}

async function read(reader) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    const events = rest.split(/\r?\n\r?\n/);
    rest = events.pop();
    for (const e of events) dispatch(e);
  }
}

function dispatch(event) {
  let topic = "message", data = "";
  for (const line of event.split(/\r?\n/)) {
    if (line.startsWith("event:")) topic = line.slice(6).trim();
    else if (line.startsWith("data:")) data += line.slice(5).trim();
  }
  if (!data || topic === "hello") return;
  let json;
  try {
    json = JSON.parse(data);
  } catch {
    return;
  }
  for (const l of listeners)
    if (topic.startsWith(l.topic)) l.fn(json, topic);
}
