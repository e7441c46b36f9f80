// The task page: digit keys press the buttons, the clock of the lease runs, and time spent looking is measured.
"use strict";

let shown = null;
let since = 0;
let active = 0;

function desk() {
  return document.getElementById("task");
}

function begin() {
  const task = desk();
  if (task === null || task.dataset.assignment === shown) return;
  shown = task.dataset.assignment;
  active = 0;
  since = document.hidden ? 0 : performance.now();
  for (const image of task.querySelectorAll(".payload img")) {
    if (image.complete) enlarge(image);
    else image.addEventListener("load", () => enlarge(image));
  }
  tick();
}

// Handwritten digits and the like are a few pixels wide; show them large.
function enlarge(image) {
  if (image.naturalWidth > 0 && image.naturalWidth <= 64) image.classList.add("tiny");
}

function tick() {
  const clock = document.getElementById("lease-left");
  if (clock === null) return;
  const left = Math.max(0, Math.floor((Date.parse(clock.dateTime) - Date.now()) / 1000));
  const pad = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(left / 3600);
  const minutes = Math.floor((left % 3600) / 60);
  clock.textContent = (hours ? hours + ":" + pad(minutes) : minutes) + ":" + pad(left % 60);
  clock.classList.toggle("bad-ink", left < 60);
  document.getElementById("lease-over").hidden = left > 0;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden && since) {
    active += performance.now() - since;
    since = 0;
  } else if (!document.hidden && !since) {
    since = performance.now();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || !/^[0-9]$/.test(event.key)) return;
  if (event.target.closest("input, select, textarea")) return;
  const button = document.querySelector('.classes button[data-key="' + event.key + '"]');
  if (button !== null) button.click();
});

document.addEventListener("submit", (event) => {
  const seconds = event.target.elements.seconds;
  if (seconds) seconds.value = ((active + (since ? performance.now() - since : 0)) / 1000).toFixed(2);
}, true);

document.body.addEventListener("htmx:afterSettle", () => {
  begin();
  const heading = document.getElementById("desk-heading");
  if (heading !== null) heading.focus({ preventScroll: true });
});

setInterval(tick, 1000);
begin();
