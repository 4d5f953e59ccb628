// Reading values off a chart: every mark carries its words (week, value, n); they appear where one points.
"use strict";
document.querySelectorAll(".canvas").forEach((canvas) => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true"); // the same words are in the table below the chart
  canvas.append(tip);
  canvas.addEventListener("pointerover", (event) => {
    const mark = event.target.closest("path[aria-label]");
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.getAttribute("aria-label");
    const at = mark.getBoundingClientRect();
    const frame = canvas.getBoundingClientRect();
    const left = at.left - frame.left + canvas.scrollLeft + at.width / 2 - tip.offsetWidth / 2;
    tip.style.left = `${Math.max(canvas.scrollLeft, Math.min(left, canvas.scrollLeft + frame.width - tip.offsetWidth))}px`;
    tip.style.top = `${Math.max(0, at.top - frame.top - tip.offsetHeight - 6)}px`;
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
});
