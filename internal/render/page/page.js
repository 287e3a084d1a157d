"use strict";
(() => {
  const $ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const matrix = document.getElementById("matrix");
  const filter = document.getElementById("filter");
  const about = document.getElementById("about");
  const host = document.getElementById("host"); // of a fleet
  const rows = $("tbody tr[data-card]", matrix);
  const heads = [...matrix.tHead.rows[1].cells];
  const cols = $("col", matrix);
  const words = {
    d: "held by default", a: "held, added by name", b: "held, beyond the defaults", x: "a default, dropped", n: "not held", u: "unknown",
    r: "given up by its processes, granted again at a restart or an exec",
  };
  document.documentElement.classList.add("js");

  // What a cell means, in words: for the line at the bottom and for screen readers.
  const meaning = (cell) => {
    const row = cell.parentElement;
    if (row.parentElement === matrix.tHead) return cell.title || cell.textContent;
    const on = row.dataset.host ? ` on ${row.dataset.host}` : "";
    const name = (row.querySelector("a")?.textContent ?? "") + on;
    if (cell.cellIndex === 0) return `${name}: ${row.dataset.verdict ?? ""}`;
    let text = `${name}, ${heads[cell.cellIndex].textContent}: ${words[cell.classList[0]] ?? ""}`;
    if (cell.classList.contains("f")) text += "; a finding";
    if (cell.classList.contains("k")) text += "; an accepted finding";
    return text;
  };

  // The grid has one tab stop, and arrows move it (WAI-ARIA's grid pattern).
  let current = null;
  const enter = (cell) => {
    if (current) current.tabIndex = -1;
    current = cell;
    cell.tabIndex = 0;
  };
  const go = (cell) => {
    if (!cell) return;
    enter(cell);
    cell.focus();
  };
  const lines = () => [matrix.tHead.rows[1], ...rows.filter((r) => !r.hidden)];
  const move = (down, right) => {
    const all = lines();
    const y = Math.min(all.length - 1, Math.max(0, all.indexOf(current.parentElement) + down));
    const x = Math.min(heads.length - 1, Math.max(0, current.cellIndex + right));
    go(all[y].cells[x]);
  };
  const keys = {
    ArrowDown: () => move(1, 0), ArrowUp: () => move(-1, 0), ArrowRight: () => move(0, 1), ArrowLeft: () => move(0, -1),
    PageDown: () => move(10, 0), PageUp: () => move(-10, 0),
    Home: (e) => move(e.ctrlKey ? -Infinity : 0, -Infinity), End: (e) => move(e.ctrlKey ? Infinity : 0, Infinity),
  };
  const open = (id) => {
    const card = id && document.getElementById(id);
    if (!card) return;
    card.open = true;
    card.scrollIntoView({ block: "start" });
    card.querySelector("summary").focus({ preventScroll: true });
  };
  const opens = (e) => e.key === "Enter" || e.key === " ";
  let pressed = false;
  matrix.addEventListener("keydown", (e) => {
    if (e.altKey || e.metaKey) return;
    pressed = opens(e);
    if (!pressed && !keys[e.key]) return;
    e.preventDefault();
    keys[e.key]?.(e);
  });
  // Only once the key is up: else the rest of the keystroke would close again what it opened.
  matrix.addEventListener("keyup", (e) => {
    if (pressed && opens(e)) open(current.parentElement.dataset.card);
    pressed = false;
  });
  matrix.addEventListener("focusin", (e) => {
    const cell = e.target.closest("td, th");
    if (!cell) return;
    enter(cell);
    show(cell);
  });
  matrix.addEventListener("focusout", () => show(null));
  matrix.addEventListener("mouseover", (e) => {
    const cell = e.target.closest("tbody td, tbody th, .caps th");
    show(cell);
  });
  matrix.addEventListener("mouseleave", () => show(null));
  matrix.addEventListener("click", (e) => {
    const cell = e.target.closest("tbody td, tbody th");
    if (!cell) return;
    if (e.target.closest("a")) {
      e.preventDefault();
      open(cell.parentElement.dataset.card);
    } else go(cell);
  });

  let lit = null;
  const show = (cell) => {
    lit?.classList.remove("here");
    lit = cell && cell.cellIndex > 0 && !cell.closest(".groups") ? cols[cell.cellIndex] : null;
    lit?.classList.add("here");
    about.textContent = cell && !cell.closest(".groups") ? meaning(cell) : "";
  };

  // The filter and the verdicts hide rows and cards alike.
  const refresh = () => {
    const terms = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set($(".toggle[aria-pressed=true]").map((b) => b.dataset.verdict));
    let n = 0;
    for (const row of rows) {
      const fits = wanted.has(row.dataset.verdict) && (!host?.value || row.dataset.host === host.value) && terms.every((t) => row.dataset.search.includes(t));
      row.hidden = !fits;
      document.getElementById(row.dataset.card).hidden = !fits;
      if (fits) n++;
    }
    document.getElementById("shown").textContent = n === rows.length ? "" : `${n} of ${rows.length} shown`;
    if (current?.parentElement.hidden) enter(heads[0]);
  };
  filter.addEventListener("input", refresh);
  host?.addEventListener("change", refresh);
  filter.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    filter.value = "";
    refresh();
  });
  for (const b of $(".toggle")) {
    b.addEventListener("click", () => {
      b.setAttribute("aria-pressed", String(b.getAttribute("aria-pressed") !== "true"));
      refresh();
    });
  }
  const searches = (e) => e.key === "/" && !e.ctrlKey && !e.metaKey && !e.target.closest("input");
  document.addEventListener("keydown", (e) => { if (searches(e)) e.preventDefault(); }); // some browsers have a search of their own
  document.addEventListener("keyup", (e) => { if (searches(e)) filter.focus(); });

  // Copying: a page that was opened from a file may have no clipboard, then the text is selected for the person to copy.
  document.addEventListener("click", async (e) => {
    const button = e.target.closest(".copy");
    if (!button) return;
    const pre = button.parentElement.querySelector("pre");
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });

  // Paper has no folds; what was folded is folded again afterwards.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = $("details.card:not([open])");
    for (const d of folded) d.open = true;
  });
  addEventListener("afterprint", () => { for (const d of folded) d.open = false; });

  // Words for screen readers that read the table without entering it, given a batch of rows at a time so that a long page opens at once.
  const label = (from) => {
    for (const row of rows.slice(from, from + 50)) {
      for (const cell of row.cells) {
        if (cell.cellIndex > 0) cell.setAttribute("aria-label", meaning(cell));
      }
    }
    if (from + 50 < rows.length) setTimeout(label, 0, from + 50);
  };
  for (const cell of heads) cell.tabIndex = -1;
  for (const row of rows) for (const cell of row.cells) cell.tabIndex = -1;
  enter(rows[0]?.cells[0] ?? heads[0]);
  label(0);
  if (location.hash) open(location.hash.slice(1));
})();
