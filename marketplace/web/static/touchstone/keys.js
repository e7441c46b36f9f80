// A secret that was just made: a button copies it. Without this script it is selected and copied by hand.
"use strict";

async function copy(field) {
  field.select();
  // Browsers offer the clipboard to secure pages alone; the old way works everywhere.
  if (navigator.clipboard) await navigator.clipboard.writeText(field.value);
  else document.execCommand("copy");
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    await copy(field);
    button.textContent = button.dataset.copied;
  });
  field.addEventListener("focus", () => field.select());
}
document.querySelector(".fresh")?.focus();
