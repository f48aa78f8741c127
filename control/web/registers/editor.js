// SPDX-License-Identifier: Apache-2.0
// A field in a cell, in which a value is edited.

import { h, text } from "../dom.js";

// Puts a field into a cell. o.start: its first text, o.whole if it is chosen; o.label; o.parse(text) to what is written, or throws a sentence;
// o.commit(values, move) with -1, 0, 1 for where to go next; o.ended(back).
export function editor(cell, o) {
  const input = h("input", { value: o.start, "aria-label": o.label, spellcheck: "false", autocomplete: "off" });
  const tip = h("div", { class: "error-tip", role: "alert", hidden: true });
  let over = false;
  const end = (back) => {
    if (over) return;
    over = true;
    tip.remove();
    cell.textContent = "";
    o.ended(back);
  };
  const commit = async (move) => {
    let after;
    try {
      after = o.parse(input.value);
    } catch (e) {
      input.setAttribute("aria-invalid", "true");
      text(tip, e.message);
      tip.hidden = false;
      const box = input.getBoundingClientRect();
      tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - 240))}px`;
      tip.style.top = `${box.bottom + 2}px`;
      document.body.append(tip);
      return;
    }
    end(true);
    await o.commit(after, move);
  };
  input.addEventListener("keydown", (e) => {
    if (e.key === "Enter") { e.preventDefault(); commit(e.shiftKey ? -1 : 1); }
    else if (e.key === "Escape") { e.preventDefault(); end(true); }
    else if (e.key === "Tab") { e.preventDefault(); commit(0); }
    e.stopPropagation();
  });
  input.addEventListener("input", () => { tip.hidden = true; input.removeAttribute("aria-invalid"); });
  input.addEventListener("blur", () => end(false));
  cell.replaceChildren(input);
  input.focus();
  if (o.whole) input.select();
}
