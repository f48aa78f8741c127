// SPDX-License-Identifier: Apache-2.0
// What was done, and how it is undone. Pure: what a step does is its own.

export class Undo {
  constructor(depth = 200) {
    Object.assign(this, { depth, done: [], undone: [], changed: () => {} });
  }

  push(step) {
    this.done.push(step);
    if (this.done.length > this.depth) this.done.shift();
    this.undone = [];
    this.changed();
  }

  get next() { return this.done[this.done.length - 1] || null; }
  get again() { return this.undone[this.undone.length - 1] || null; }

  // Runs fn with the step; moves it over only if that went well.
  async undo(fn) {
    return this.move("done", "undone", fn);
  }

  async redo(fn) {
    return this.move("undone", "done", fn);
  }

  async move(from, to, fn) {
    if (this.busy || this[from].length === 0) return null;
    const step = this[from][this[from].length - 1];
    this.busy = true;
    try {
      if ((await fn(step)) === false) return null;
    } finally {
      this.busy = false;
    }
    this[from] = this[from].filter((s) => s !== step);
    this[to].push(step);
    this.changed();
    return step;
  }
}
