// SPDX-License-Identifier: Apache-2.0
import test from "node:test";
import assert from "node:assert/strict";
import { show, parse, parseBit, number, f32Text, scaled, csv, duration, rate, span, within } from "./formats.js";
import { compile } from "./filter.js";
import { Rows } from "./rows.js";
import { Undo } from "./undo.js";
import { decode } from "./decode.js";
import { describeFault, exceptionCode } from "./faultwords.js";
import { diff, hunks } from "./diff.js";
import { scalesOf, rangeOf } from "./scales.js";
import { parsePlace, seriesFrom } from "./pick.js";

const f404 = [0x43ca, 0x15c3]; // 404.17

test("numbers of every format and order read as they were written", () => {
  const cases = [["u16", "65535"], ["i16", "-1"], ["u32", "4294967295"], ["i32", "-2147483648"],
    ["u64", "18446744073709551615"], ["i64", "-9223372036854775808"], ["f32", "404.17"], ["f32", "-2.5"],
    ["f64", "0.1"], ["f32", "Infinity"], ["f32", "NaN"], ["u64", "9007199254740993"]];
  for (const order of ["abcd", "badc", "cdab", "dcba"])
    for (const [format, text] of cases)
      assert.equal(show(parse(text, format, order), format, order), text, `${format} ${order}`);
});

test("orders are those of the daemon", () => {
  assert.deepEqual(parse("404.17", "f32", "abcd"), f404);
  assert.deepEqual(parse("404.17", "f32", "cdab"), [0x15c3, 0x43ca]);
  assert.deepEqual(parse("404.17", "f32", "badc"), [0xca43, 0xc315]);
  assert.deepEqual(parse("404.17", "f32", "dcba"), [0xc315, 0xca43]);
  assert.deepEqual(parse("1", "u16", "dcba"), [0x0100]);
});

test("hexadecimal, binary and text", () => {
  assert.equal(show([0xbeef], "hex"), "beef");
  assert.deepEqual(parse("beef", "hex"), [0xbeef]);
  assert.deepEqual(parse("0x10", "u16"), [16]);
  assert.deepEqual(parse("0b101", "u16"), [5]);
  assert.equal(show([5], "bin"), "0000 0000 0000 0101");
  assert.deepEqual(parse("0000 0000 0000 0101", "bin"), [5]);
  assert.equal(show([0x5055, 0x4d50, 0], "ascii"), "PUMP");
  assert.deepEqual(parse("PUMP", "ascii", "abcd", 1, 3), [0x5055, 0x4d50, 0]);
  assert.equal(show([0x5550], "ascii", "badc"), "PU");
});

test("what is no value is refused with a sentence", () => {
  for (const [text, format] of [["65536", "u16"], ["-1", "u16"], ["x", "i16"], ["1.5", "u16"], ["", "f32"],
    ["1e39", "f32"], ["wort", "f64"], ["0x10000", "hex"], ["32768", "i16"]])
    assert.throws(() => parse(text, format), /./, `${text} as ${format}`);
  assert.throws(() => parse("much too long", "ascii", "abcd", 1, 2), /at most 4/);
  assert.throws(() => parseBit("2"));
  assert.deepEqual(parseBit("on"), [1]);
});

test("a scale goes both ways without noise", () => {
  assert.equal(show([650], "i16", "abcd", 0.1), "65");
  assert.equal(show([651], "i16", "abcd", 0.1), "65.1");
  assert.deepEqual(parse("65.1", "i16", "abcd", 0.1), [651]);
  assert.throws(() => parse("4000", "i16", "abcd", 0.1), /3276.7/);
  assert.equal(scaled(3, 0.1), 0.3);
});

test("a 32-bit float has its shortest text", () => {
  assert.equal(f32Text(Math.fround(404.17)), "404.17");
  assert.equal(f32Text(Math.fround(16777216)), "16777216");
  assert.equal(f32Text(-0), "-0");
  assert.equal(number([0], "f32"), NaN);
});

test("CSV is quoted, and no spreadsheet takes a name for a formula", () => {
  assert.equal(csv([["a,b", 'say "x"', -1, "=1+1", null, "-x"]]), "\"a,b\",\"say \"\"x\"\"\",-1,'=1+1,,'-x\r\n");
});

test("a histogram tells within what time a share was answered", () => {
  const h = { buckets: { "1e-05": 90, "+Inf": 100, "0.001": 99, 1: 99 }, count: 100, sum: 1 };
  assert.deepEqual([0.5, 0.9, 0.99, 0.999].map((q) => within(h, q)), ["10 µs", "10 µs", "1 ms", "over 1 s"]);
  assert.equal(within({ buckets: { "+Inf": 0 }, count: 0 }, 0.5), "–");
  assert.deepEqual([span(2.5e-5), span(0.25), span(2)], ["25 µs", "250 ms", "2 s"]);
});

test("durations and rates", () => {
  assert.equal(duration(3725), "1 h 2 min");
  assert.equal(rate(999.6), "1\u202f000");
  assert.equal(rate(0), "0");
});

const frame = { function: 3, unit: 1, addr: 100, count: 2, transport: "tcp1", peer: "10.0.0.7:4021", direction: "in", exception: null, values: null, us: null };

test("the filter language", () => {
  const yes = ["fc==3", "fc==3 && unit==1", "fc==4 || unit==1", "!(fc==4)", "addr>=100 && addr<102", "peer==10.0.0.7",
    "peer==\"10.0.0.7:4021\"", "transport!=udp1", "fc==0x3", "fc", "(fc==3)&&(unit==1)", "", "fc==3&&!exception", "direction == 'in'"];
  const no = ["fc==4", "exception", "exception!=2", "us>5", "fc==3 && unit==2", "!fc", "value==1", "fc==4 || fc==5 && unit==1"];
  for (const t of yes) assert.equal(compile(t)(frame), true, t);
  for (const t of no) assert.equal(compile(t)(frame), false, t);
  assert.equal(compile("value==7")({ ...frame, values: [5, 7] }), true);
  assert.equal(compile("value!=7")({ ...frame, values: [5, 7] }), false);
});

test("a wrong filter says in which column", () => {
  for (const [t, column] of [["fx==3", 1], ["fc==", 5], ["fc==3 &&", 9], ["(fc==3", 7], ["fc==3 unit==1", 7], ["fc==3 & 1", 7],
    ["fc==x", 5], ["peer<3", 6], ["\"fc\"==3", 1]])
    assert.throws(() => compile(t), new RegExp(`^FilterError: column ${column}:|^Error: column ${column}:`), t);
});

test("rows of a sparse table", () => {
  const r = new Rows([{ addr: 0, count: 10, type: "uint16" }, { addr: 20, count: 2, type: "float32", order: "cdab" }, { addr: 22, count: 8, type: "string" }], "declared", "abcd", false);
  assert.equal(r.count, 10 + 1 + 1 + 1);
  assert.equal(r.row(10).gap, true);
  assert.deepEqual([r.row(11).addr, r.row(11).format, r.row(11).order, r.row(12).width], [20, "f32", "cdab", 8]);
  assert.equal(r.find(9), 9);
  assert.equal(r.find(15), 10);
  assert.equal(r.find(21), 11);
  assert.deepEqual(r.spans(8, 12), [{ addr: 8, count: 2 }, { addr: 20, count: 10 }]);
  const odd = new Rows([{ addr: 0, count: 5, type: "uint16" }], "f32", "abcd", false);
  assert.deepEqual([odd.count, odd.row(2).format, odd.row(2).addr], [3, "u16", 4]);
  const big = new Rows([{ addr: 0, count: 65536, type: "uint16" }], "u16", "abcd", false, 10);
  assert.deepEqual([big.count, big.find(65535), big.row(6553).n], [6554, 6553, 6]);
  assert.deepEqual(big.spans(0, 500), [{ addr: 0, count: 2000 }, { addr: 2000, count: 2000 }, { addr: 4000, count: 1010 }]);
});

test("undo and redo move a step only when it went well", async () => {
  const u = new Undo(2);
  for (const n of [1, 2, 3]) u.push(n);
  assert.deepEqual(u.done, [2, 3]);
  assert.equal(await u.undo(async () => true), 3);
  assert.equal(await u.undo(async () => false), null);
  assert.deepEqual([u.done, u.undone], [[2], [3]]);
  await assert.rejects(u.undo(async () => { throw new Error("no"); }));
  assert.deepEqual(u.done, [2]);
  assert.equal(await u.redo(async () => {}), 3);
  u.push(4);
  assert.equal(u.again, null);
});

const words = (nodes) => nodes.flatMap((n) => [`${n.label}=${n.value}@${n.off}+${n.len}`, ...words(n.children)]);

test("frames are taken apart, each part with its place", () => {
  const tcp = decode({ framer: "socket", direction: "in", adu: "000100000006010300640002" });
  assert.deepEqual(words(tcp.nodes), ["transaction=1@0+2", "protocol=0 (Modbus)@2+2", "length=6@4+2", "unit=1@6+1",
    "function=3 read holding registers@7+1", "address=100@8+2", "count=2@10+2"]);
  assert.deepEqual([tcp.fields.addr, tcp.fields.count], [100, 2]);
  const rtu = decode({ framer: "rtu", direction: "out", adu: "0103020007f986" });
  assert.ok(words(rtu.nodes).includes("register +0=7 (0x0007)@3+2"));
  assert.equal(words(rtu.nodes).at(-1), "CRC=86f9 (right)@5+2");
  const ascii = decode({ framer: "ascii", direction: "in", adu: Buffer.from(":010300640002 96".replace(" ", "") + "\r\n").toString("hex") });
  assert.deepEqual(words(ascii.nodes), ["start=:@0+1", "unit=1@1+2", "function=3 read holding registers@3+2", "address=100@5+4", "count=2@9+4", "LRC=96 (right)@13+2"]);
  const ex = decode({ framer: "socket", direction: "out", adu: "000100000003018302" });
  assert.ok(words(ex.nodes).includes("exception=2 illegal data address@8+1"));
});

test("whatever bytes come, taking them apart ends and stays within them", () => {
  let seed = 1;
  const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
  for (let i = 0; i < 5000; i++) {
    const n = Math.floor(random() * 40);
    const adu = Array.from({ length: n }, () => Math.floor(random() * 256).toString(16).padStart(2, "0")).join("");
    const f = { framer: ["socket", "rtu", "ascii", "tls"][i % 4], direction: i & 8 ? "in" : "out", adu, at: 1 };
    const check = (nodes) => nodes.forEach((x) => {
      assert.ok(x.off >= 0 && x.len >= 0 && x.off + x.len <= n, `${adu} ${JSON.stringify(x)}`);
      check(x.children);
    });
    check(decode(f).nodes);
  }
});

test("a fault in words", () => {
  assert.equal(describeFault({ transport: "tcp1", fc: [3, 4], exception: 6, rate_pct: 10 }), "tcp1, FC 3, 4: exception 6 (server device busy), 10 %");
  assert.equal(describeFault({ drop: true }), "everything: no reply");
  assert.equal(describeFault({ change_pct: 5, change_rate_pct: 10 }), "everything: other values in 5 % of the registers or bits, in 10 % of the replies");
  for (const [typed, code] of [["6", 6], ["06", 6], [" 255 ", 255], ["0x0b", 11], ["Illegal Data Address", 2], ["server_device-busy", 6], ["11 gateway target failed to respond", 11]])
    assert.equal(exceptionCode(typed), code, typed);
  for (const typed of ["0", "256", "-1", "1.5", "busy", "6 illegal function", "7 "])
    assert.equal(exceptionCode(typed) || null, typed === "7 " ? 7 : null, typed);
});

test("two texts line by line: both can be made of it, and it is short", () => {
  let seed = 7;
  const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
  const some = () => Array.from({ length: 1 + Math.floor(random() * 12) }, () => "abcd"[Math.floor(random() * 4)]).join("\n");
  const signs = (d, not) => d.filter((l) => l.sign !== not).map((l) => l.text).join("\n");
  for (let n = 0; n < 1000; n++) {
    const a = some(), b = some(), d = diff(a, b), x = a.split("\n"), y = b.split("\n");
    assert.deepEqual([signs(d, "+"), signs(d, "-")], [a, b]);
    const longest = x.map(() => []);
    x.forEach((p, i) => y.forEach((q, j) => {
      const at = (k, l) => (k < 0 || l < 0 ? 0 : longest[k][l]);
      longest[i][j] = p === q ? at(i - 1, j - 1) + 1 : Math.max(at(i - 1, j), at(i, j - 1));
    }));
    assert.equal(d.filter((l) => l.sign === " ").length, longest[x.length - 1][y.length - 1], `${x} ${y}`);
    assert.equal(hunks(d, 1).flat().filter((l) => l.sign !== " ").length, d.filter((l) => l.sign !== " ").length);
  }
  assert.deepEqual(diff("a\nb\n", "a\nc\n"), [{ sign: " ", was: 1, is: 1, text: "a" }, { sign: "-", was: 2, is: null, text: "b" }, { sign: "+", was: null, is: 2, text: "c" }]);
  assert.deepEqual(hunks(diff("a", "a")), []);
  assert.deepEqual(hunks(diff("a\nb\nc\nd\ne\nf\ng", "X\nb\nc\nd\ne\nf\nY"), 1).map((h) => h.map((l) => l.sign + l.text).join("")), ["-a+X b", " f-g+Y"]);
  // much that differs is told as a block, soon
  const big = Array.from({ length: 20000 }, (_, i) => i).join("\n"), d = diff(big, big.replaceAll("7", "x"));
  assert.deepEqual([signs(d, "+"), signs(d, "-")], [big, big.replaceAll("7", "x")]);
});

test("a scale is of one unit, or of one series", () => {
  const list = [{ name: "flow", unit: "m3/h" }, { name: "in", unit: "degC" }, { table: "hr", addr: 5, unit: "" }, { name: "out", unit: "degC" }, { table: "hr", addr: 6 }];
  const of = (sharing) => scalesOf(list, sharing).map((s) => [s.members.join(), s.label]);
  assert.deepEqual(of("unit"), [["0", "flow [m3/h]"], ["1,3", "in, out [degC]"], ["2", "hr:5"], ["4", "hr:6"]]);
  assert.deepEqual(of("own").map(([m]) => m), ["0", "1", "2", "3", "4"]);
  assert.deepEqual(of("one"), [["0,1,2,3,4", "flow, in, 3 more"]]);
  assert.deepEqual([rangeOf(5, 5), rangeOf(0, 0), rangeOf(Infinity, -Infinity)], [[4.5, 5.5], [-1, 1], [0, 1]]);
  const [a, b] = rangeOf(0, 100);
  assert.ok(a < 0 && b > 100);
});

test("a place is read as the command line writes it", () => {
  assert.deepEqual(parsePlace("plc1/hr:100+4:float32", ["plc1", "x"]), { device: "plc1", table: "hr", addr: 100, count: 4, type: "float32" });
  assert.deepEqual(parsePlace("co:7", ["plc1"]), { device: "plc1", table: "co", addr: 7, count: 1, type: "" });
  for (const t of ["hr:7", "plc1/xr:7", "plc1/hr:", "flow", "plc1/hr:700000"]) assert.equal(parsePlace(t, ["plc1", "x"]), null, t);
  const range = { addr: 100, count: 8, type: "float32", order: "cdab", name: "t", unit: "K", scale: 1 };
  assert.deepEqual(seriesFrom("d", "hr", range, 100, 8).map((p) => [p.addr, p.name, p.format, p.order]),
    [[100, "t[0]", "f32", "cdab"], [102, "t[1]", "f32", "cdab"], [104, "t[2]", "f32", "cdab"], [106, "t[3]", "f32", "cdab"]]);
  assert.deepEqual(seriesFrom("d", "hr", range, 107, 8), []);
});
