// SPDX-License-Identifier: Apache-2.0
// The filter language of trace.read, in the page: `fc==3 && unit==1`. The
// daemon filters what it sends; this one filters what has come already, and
// says where a mistake is while it is being typed. Pure.

export const fields = ["fc", "unit", "addr", "count", "exception", "transport",
  "peer", "connection", "direction", "us", "value", "transaction", "type",
  "framer", "name"];
const words = ["transport", "peer", "connection", "direction", "type", "framer", "name"];

export class FilterError extends Error {
  constructor(message, column) {
    super(`column ${column + 1}: ${message}`);
    this.column = column;
  }
}

const TOKEN = /\s*(?:(&&|\|\||[=!<>]=|[<>()!])|("(?:[^"\\]|\\.)*"|'[^']*')|([^\s"'&|=!<>()]+))/y;

function tokens(text) {
  const list = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const m = TOKEN.exec(text);
    if (!m) {
      if (/^\s*$/.test(text.slice(at))) break;
      const column = at + /^\s*/.exec(text.slice(at))[0].length;
      throw new FilterError(`"${text[column]}" is not understood`, column);
    }
    const raw = m[1] || m[2] || m[3];
    list.push({ op: m[1], quoted: m[2] !== undefined, raw, at: TOKEN.lastIndex - raw.length,
      word: m[2] ? unquote(m[2]) : m[3] });
  }
  list.push({ end: true, at: text.length, raw: "the end" });
  return list;
}

function unquote(s) {
  return s[0] === "'" ? s.slice(1, -1) : s.slice(1, -1).replace(/\\(.)/g, "$1");
}

// The values that a frame has for a field: a list, since it may have many.
function valuesOf(frame, field) {
  if (field === "fc") return one(frame.function);
  if (field === "value") return frame.values || [];
  // a peer counts with its port and without
  if (field === "peer" && frame.peer)
    return [frame.peer, frame.peer.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1")];
  return one(frame[field]);
}

const one = (v) => (v == null ? [] : [v]);

function compare(op, a, b) {
  const [x, y] = [Number(a), Number(b)];
  if (b !== "" && !Number.isNaN(x) && !Number.isNaN(y) && typeof a !== "string")
    [a, b] = [x, y];
  else
    [a, b] = [String(a), String(b)];
  switch (op) {
    case "==": return a === b;
    case "<": return a < b;
    case "<=": return a <= b;
    case ">": return a > b;
    case ">=": return a >= b;
    default: return a !== b;
  }
}

class Parser {
  constructor(text) {
    this.tokens = tokens(text);
    this.i = 0;
  }

  get now() { return this.tokens[this.i]; }

  take(op) {
    if (this.now.op !== op) return false;
    this.i++;
    return true;
  }

  either() {
    let left = this.both();
    while (this.take("||")) {
      const [a, b] = [left, this.both()];
      left = (f) => a(f) || b(f);
    }
    return left;
  }

  both() {
    let left = this.not();
    while (this.take("&&")) {
      const [a, b] = [left, this.not()];
      left = (f) => a(f) && b(f);
    }
    return left;
  }

  not() {
    if (this.take("!")) {
      const a = this.not();
      return (f) => !a(f);
    }
    if (this.take("(")) {
      const a = this.either();
      if (!this.take(")")) throw new FilterError(`")" is missing`, this.now.at);
      return a;
    }
    return this.test();
  }

  test() {
    const field = this.now;
    if (field.word === undefined)
      throw new FilterError(`a field is wanted, not ${field.raw}`, field.at);
    if (field.quoted || !fields.includes(field.word))
      throw new FilterError(`no field "${field.word}"; there are ${fields.join(" ")}`, field.at);
    this.i++;
    const op = this.now.op;
    // a field alone: the frame has it
    if (!op || !/^([=!]=|[<>]=?)$/.test(op))
      return (f) => valuesOf(f, field.word).length > 0;
    this.i++;
    const value = this.now;
    if (value.word === undefined)
      throw new FilterError(`a value is wanted, not ${value.raw}`, value.at);
    this.i++;
    if (words.includes(field.word) && op !== "==" && op !== "!=")
      throw new FilterError(`${field.word} is equal or not, nothing else`, value.at);
    if (!words.includes(field.word) && !/^-?(0x[0-9a-f]+|\d+)$/i.test(value.word))
      throw new FilterError(`${field.word} is a number, "${value.word}" is none`, value.at);
    // a comparison with what a frame has not is false; of several values one
    // must fit, and with != none be equal
    if (op === "!=")
      return (f) => {
        const list = valuesOf(f, field.word);
        return list.length > 0 && !list.some((v) => compare("==", v, value.word));
      };
    return (f) => valuesOf(f, field.word).some((v) => compare(op, v, value.word));
  }
}

// A function that says whether a frame passes. Throws a FilterError.
export function compile(text) {
  if (!text.trim()) return () => true;
  const p = new Parser(text);
  const test = p.either();
  if (!p.now.end)
    throw new FilterError(`"${p.now.raw}" is one too many`, p.now.at);
  return test;
}
