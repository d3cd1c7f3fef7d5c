"use strict";
// Theme, sorting, filters and the magnifier of the report. Without it the page shows all of its content.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const made = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  for (const element of all("[data-needs-script]")) element.hidden = false;
  const theme = document.getElementById("theme-choice");
  theme.addEventListener("change", () => { document.documentElement.dataset.theme = theme.value; });

  // What is open for readers without a script and for printing is closed on the screen.
  const folded = all("details[data-folded]");
  for (const details of folded) details.open = false;
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = folded.filter((details) => !details.open);
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });

  // Tables are sorted by the buttons in their heads: numbers by their values, and what has none last.
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    return "number" in cell.dataset ? Number(cell.dataset.number) : cell.textContent.trim();
  };
  const compared = (a, b) => {
    const kinds = [a, b].map((key) => (key === "" || Number.isNaN(key) ? 2 : typeof key === "string" ? 1 : 0));
    if (kinds[0] !== kinds[1]) return { order: kinds[0] - kinds[1], turns: kinds[0] < 2 && kinds[1] < 2 };
    if (kinds[0] === 0) return { order: a < b ? -1 : a > b ? 1 : 0, turns: true };
    return { order: kinds[0] === 2 ? 0 : a.localeCompare(b, "en", { numeric: true }), turns: true };
  };
  const sort = (table, head, column) => {
    const descending = head.getAttribute("aria-sort") === "ascending";
    for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => ({ row, key: keyOf(row, column) }));
    keyed.sort((a, b) => {
      const { order, turns } = compared(a.key, b.key);
      return descending && turns ? -order : order;
    });
    body.append(...keyed.map(({ row }) => row));
  };
  for (const table of all("table[data-sortable]")) {
    all("thead th", table).forEach((head, column) => {
      const button = made("button", { type: "button" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, head, column));
    });
  }

  // A filter shows the lines that hold all of its words.
  for (const input of all("input[data-filters]")) {
    const target = document.getElementById(input.dataset.filters);
    const lines = all("[data-line]", target);
    const texts = lines.map((line) => line.textContent.toLowerCase());
    const said = input.parentElement.querySelector("output");
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      lines.forEach((line, n) => {
        line.hidden = !words.every((word) => texts[n].includes(word));
        count += line.hidden ? 0 : 1;
      });
      for (const group of all("[data-group]", target).reverse()) group.hidden = !group.querySelector("[data-line]:not([hidden])");
      said.value = words.length ? `${count} of ${lines.length}` : "";
    });
  }

  // The magnifier: each picture becomes a button that shows it in a dialog, larger or smaller.
  const dialog = document.getElementById("magnifier");
  const image = dialog.querySelector("img");
  const title = dialog.querySelector("h2");
  const stage = dialog.querySelector(".stage");
  const pictures = all("img[data-zooms]");
  let shown = 0;
  let scale = 1;
  const draw = () => { image.style.width = `${Math.round(image.width0 * scale)}px`; image.style.height = "auto"; };
  const fit = () => {
    const room = Math.min((stage.clientWidth - 30) / image.width0, (stage.clientHeight - 30) / image.height0);
    scale = image.width0 < 400 ? Math.max(1, Math.floor(room)) : room;
    draw();
  };
  const show = (n) => {
    shown = (n + pictures.length) % pictures.length;
    const picture = pictures[shown];
    image.src = picture.src;
    image.alt = picture.alt;
    image.width0 = Number(picture.getAttribute("width"));
    image.height0 = Number(picture.getAttribute("height"));
    image.classList.toggle("small", image.width0 < 400);
    title.textContent = picture.dataset.zooms;
    fit();
  };
  const zoom = (factor) => { scale = Math.min(20, Math.max(0.05, scale * factor)); draw(); };
  pictures.forEach((picture, n) => {
    const button = made("button", { type: "button", className: "open" });
    button.setAttribute("aria-haspopup", "dialog");
    button.setAttribute("aria-label", `Enlarge: ${picture.dataset.zooms}`);
    picture.replaceWith(button);
    button.append(picture);
    button.addEventListener("click", () => { dialog.showModal(); show(n); });
  });
  const actions = {
    larger: () => zoom(1.25), smaller: () => zoom(0.8), fit,
    previous: () => show(shown - 1), next: () => show(shown + 1), close: () => dialog.close(),
  };
  for (const button of all("button[data-action]", dialog)) button.addEventListener("click", actions[button.dataset.action]);
  const keys = { "+": "larger", "=": "larger", "-": "smaller", "0": "fit", PageUp: "previous", PageDown: "next" };
  dialog.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[action]();
  });
})();
