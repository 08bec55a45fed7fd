"use strict";
// Says under a picture what was true in the second that the pointer is on. The page is whole without it.
(() => {
  const seconds = JSON.parse(document.getElementById("seconds").textContent);
  const clock = (after) => `${Math.floor(after / 60)}:${String(after % 60).padStart(2, "0")}`;
  const sentence = (after) => {
    const [healthy, floor, ceiling, failed, ...answered] = seconds.rows[after];
    const limits = [floor === null ? "" : `floor ${floor}`, ceiling === null ? "" : `ceiling ${ceiling}`].filter(Boolean).join(", ");
    const versions = seconds.names.map((name, index) => `${name} ${answered[index]}`).join(", ");
    return `${clock(after)}: ${healthy} healthy${limits && ` (${limits})`}; requests/s: ${versions && `${versions}, `}failed ${failed}`;
  };
  for (const picture of document.querySelectorAll(".picture")) {
    const cursor = picture.querySelector(".cursor");
    const readout = picture.parentElement.querySelector(".readout");
    if (!cursor || !readout || !seconds.rows.length) continue;
    const left = Number(picture.dataset.left);
    const right = Number(picture.dataset.right);
    picture.addEventListener("pointermove", (event) => {
      const area = picture.getBoundingClientRect();
      const at = ((event.clientX - area.left) / area.width) * picture.viewBox.baseVal.width;
      const share = (at - left) / (right - left);
      const isInside = share >= 0 && share < 1;
      cursor.toggleAttribute("hidden", !isInside);
      if (!isInside) return;
      cursor.setAttribute("transform", `translate(${at} 0)`);
      readout.textContent = sentence(Math.min(Math.floor(share * seconds.length), seconds.rows.length - 1));
    });
    picture.addEventListener("pointerleave", () => {
      cursor.toggleAttribute("hidden", true);
      readout.textContent = "";
    });
  }
})();
