// The line page: hold the refresh while the reader asked for it, or while nobody is looking.
"use strict";

const pause = document.getElementById("pause");
let held = false;

pause.hidden = false;
pause.addEventListener("click", () => {
  held = !held;
  pause.setAttribute("aria-pressed", String(held));
  pause.textContent = held ? pause.dataset.resume : pause.dataset.pause;
});
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.id === "now" && (held || document.hidden)) event.preventDefault();
});
