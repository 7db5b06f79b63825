"use strict";
(() => {
  const blocks = document.querySelectorAll("details.code");
  const button = document.getElementById("toggle-code");
  if (blocks.length > 0) {
    document.body.classList.add("scripted");
    button.hidden = false;
    button.addEventListener("click", () => {
      const open = button.textContent === "Show code";
      for (const block of blocks) block.open = open;
      document.body.classList.toggle("all-code", open);
      button.textContent = open ? "Hide code" : "Show code";
    });
  }
  for (const table of document.querySelectorAll(".rich table")) {
    const frame = document.createElement("div");
    frame.className = "scroll";
    frame.tabIndex = 0;
    table.replaceWith(frame);
    frame.append(table);
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    for (const row of rows) {
      // Counted from the right: an index that spans rows leaves later rows fewer cells on the left.
      for (const cell of row.cells) {
        const text = cell.textContent.trim();
        if (/^(nan|[-+]?[\d.,]+(e[-+]?\d+)?\s?%?)?$/i.test(text)) continue;
        const back = row.cells.length - cell.cellIndex;
        for (const other of table.rows) other.cells[other.cells.length - back]?.classList.add("words");
      }
    }
  }
})();
