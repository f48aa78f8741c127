// SPDX-License-Identifier: Apache-2.0
// Before the first paint: light or dark as was chosen here, else as the system
// has it.
(function () {
  try {
    var t = localStorage.getItem("holdfast.theme");
    if (t === "light" || t === "dark") document.documentElement.dataset.theme = t;
  } catch (e) { /* no storage: the system's */ }
})();
