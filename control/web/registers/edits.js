// SPDX-License-Identifier: Apache-2.0
// Writing registers, and undoing it. A write is one step on the daemon's side;
// undoing it is one too, and is refused if the value is no longer ours.

import { toast, confirmed } from "../dom.js";
import { rpc, Gone, said } from "../rpc.js";
import { show } from "../formats.js";
import { Undo } from "../undo.js";

export const undo = new Undo(); // of the page, not of one visit to the screen

export const ofBits = (table) => table === "co" || table === "di";

// written(at, values): a value that was written, to be shown at once; the next
// reading agrees or says otherwise. again(): read now.
export function edits({ written, again }) {
  // what is under way; each step waits for the one before it
  let writing = Promise.resolve();

  // at: { device, table, addr, row } of a value
  function write(at, before, after) {
    return (writing = writing.then(() => writeNow(at, before, after)));
  }

  async function writeNow(at, before, after) {
    const { device, table } = at, bits = ofBits(table);
    if (before.every((v, i) => v === after[i])) return;
    try {
      await rpc("registers.write", { device, table, addr: at.addr, values: after, ...(bits ? {} : { type: "uint16" }) }, { order: true });
    } catch (e) {
      if (!(e instanceof Gone)) toast(`${device}/${table}:${at.addr} was not written: ${e.message}`, "bad");
      else toast(`${device}/${table}:${at.addr}: no answer. Whether it was written is not known.`, "bad");
      return;
    }
    const shown = (v) => (bits ? v[0] : show(v, at.row.format, at.row.order, at.row.scale));
    undo.push({ device, table, addr: at.addr, before, after,
      words: `${device}/${table}:${at.addr}${at.row.range.name ? ` ${at.row.range.name}` : ""} ${shown(before)} → ${shown(after)}` });
    toast(undo.next.words, "good", { label: "Undo", run: () => step("undo") });
    written(at, after);
  }

  // One step on the daemon's side: what is there must be what we left.
  async function put(st, from, to, force) {
    const as = ofBits(st.table) ? {} : { type: "uint16" };
    const ops = [{ op: "write", table: st.table, addr: st.addr, values: to, ...as }];
    if (!force) ops.unshift({ op: "check", table: st.table, addr: st.addr, values: from, ...as });
    await rpc("registers.transaction", { device: st.device, ops }, { order: true });
  }

  function step(which) {
    return (writing = writing.then(() => stepNow(which)));
  }

  async function stepNow(which) {
    try {
      const st = await undo[which](async (one) => {
        const [from, to] = which === "undo" ? [one.after, one.before] : [one.before, one.after];
        try {
          await put(one, from, to, false);
        } catch (e) {
          if (e.reason !== "check_failed") throw e;
          if (!await confirmed("Somebody else has written this since.", `${one.device}/${one.table}:${one.addr} no longer holds what you left there.`, which === "undo" ? "Undo all the same" : "Redo all the same"))
            return false;
          await put(one, from, to, true);
        }
        return true;
      });
      if (st) toast(`${which === "undo" ? "Undone" : "Done again"}: ${st.words}`, "good");
    } catch (e) {
      toast(said(e, "No connection: nothing was undone."), "bad");
    }
    again();
  }

  return { write, step };
}
