"use strict";
// The pages work without this for looking; it keeps them true while they are open. It builds no markup out of text: what comes as data
// becomes text, and what comes as a page is parsed by the browser as one that runs nothing.
(() => {
  const $ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const id = (name) => document.getElementById(name);
  document.documentElement.classList.add("js");

  // Copying.
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

  // A form that stops something cannot be sent before the name stands there; the server asks for it too.
  const confirming = () => {
    for (const input of $("input[data-confirm]")) {
      const button = input.form.querySelector("button[type=submit]");
      const fits = () => { button.disabled = input.value.trim() !== input.dataset.confirm; };
      if (!input.dataset.watched) input.addEventListener("input", fits);
      input.dataset.watched = "yes";
      fits();
    }
  };
  confirming();
  for (const form of $("form[method=post]")) {
    form.addEventListener("submit", () => setTimeout(() => { for (const b of $("button", form)) b.disabled = true; }));
  }
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = $("details:not([open])");
    for (const d of folded) d.open = true;
  });
  addEventListener("afterprint", () => { for (const d of folded) d.open = false; });

  const matrix = id("matrix") ? overview(id("matrix")) : null;
  if (!("live" in document.body.dataset)) return;

  let at = Number(document.body.dataset.at);
  const topics = () => (id("main").dataset.topics ?? "").split(" ");
  const pulse = (state, word) => {
    const p = id("pulse");
    if (!p || p.className === `pulse ${state}`) return;
    p.className = `pulse ${state}`;
    p.querySelector(".word").textContent = word;
  };

  // One message of the server, whichever tab got it.
  const take = (news) => {
    if (news.again || news.version < at) {
      location.reload();
      return;
    }
    if (news.version <= at) return;
    at = news.version;
    if (matrix) matrix.take(news);
    if (news.trouble) trouble(news.trouble);
    for (const line of news.lines ?? []) progress(line);
    const about = [...(news.topics ?? []), ...(news.rows ?? []).map((r) => r.id), ...(news.gone ?? [])];
    if (!matrix && about.some((t) => t && topics().includes(t))) renew();
  };

  const trouble = (t) => {
    for (const p of $("#notices [data-of]")) {
      const text = t[p.dataset.of];
      p.hidden = !text;
      p.querySelector(".text").textContent = text;
      const hint = p.querySelector(".hint");
      if (hint) hint.textContent = t.hint;
    }
  };

  const progress = (line) => {
    const bar = id("working");
    const over = line.kind.startsWith("end ");
    if (bar) {
      bar.hidden = over;
      bar.querySelector("a").href = `/work/${line.of}`;
      bar.querySelector(".text").textContent = line.text;
    }
    const log = id("log");
    if (!log || log.dataset.work !== String(line.of)) return;
    const item = document.createElement("li");
    item.className = line.kind;
    const time = document.createElement("time");
    time.textContent = line.at;
    const text = document.createElement("span");
    text.textContent = line.text;
    item.append(time, " ", text);
    if (line.took) {
      const took = document.createElement("small");
      took.textContent = line.took;
      item.append(" ", took);
    }
    log.append(item);
    item.scrollIntoView({ block: "nearest" });
  };

  // Parts of the page that differ are replaced by the server's. What a person types into stays.
  let renewing = false, once = false;
  const renew = () => {
    if (renewing) {
      once = true;
      return;
    }
    renewing = true;
    const ask = new XMLHttpRequest();
    ask.open("GET", location.href);
    ask.responseType = "document";
    ask.timeout = 60000;
    ask.onloadend = () => {
      renewing = false;
      const from = ask.status === 200 && ask.response;
      if (from) for (const part of $("[data-part]", from)) replace(part);
      confirming();
      if (once) {
        once = false;
        renew();
      }
    };
    ask.send();
  };
  const replace = (part) => {
    const old = document.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!old) return;
    if ($("input, textarea", old).some((i) => i.type !== "hidden" && i.value !== i.defaultValue)) return;
    const open = new Set($("details[open]", old).map((d) => d.id));
    for (const d of $("details", part)) if (open.has(d.id)) d.open = true;
    const fresh = document.importNode(part, true);
    if (old.isEqualNode(fresh)) return;
    const focused = old.contains(document.activeElement);
    old.replaceWith(fresh);
    if (focused) {
      fresh.tabIndex = -1;
      fresh.focus({ preventScroll: true });
    }
  };

  // One stream for all tabs of a browser, which opens few connections to one server: whoever holds the lock has it, and tells the others.
  const others = "BroadcastChannel" in window ? new BroadcastChannel("dropcap") : null;
  const word = id("pulse").querySelector(".word").textContent;
  if (others) {
    others.onmessage = (e) => {
      if (e.data.news) take(e.data.news);
      if (e.data.state) pulse(...e.data.state);
    };
  }
  const tell = (m) => {
    others?.postMessage(m);
    if (m.state) pulse(...m.state);
    if (m.news) take(m.news);
  };
  const listen = () => new Promise(() => {
    const stream = new EventSource(`/events?since=${at}`);
    stream.onopen = () => tell({ state: ["live", word] });
    stream.onmessage = (e) => tell({ news: JSON.parse(e.data) });
    stream.onerror = () => {
      tell({ state: ["lost", "not connected"] });
      if (stream.readyState === EventSource.CLOSED) again(stream);
    };
  });
  // A server that was started again knows nobody: then a page that loads says what to do.
  const again = (stream) => {
    stream.close();
    setTimeout(async () => {
      try {
        const answer = await fetch(`/rows?since=${at}`);
        if (answer.status === 401) {
          tell({ state: ["lost", "the server does not know this browser any more"] });
          location.reload();
          return;
        }
      } catch { /* it is away: the next attempt tells */ }
      listen();
    }, 1000);
  };
  // A tab that was asleep, or opened while another had the stream, asks once.
  const catchUp = async () => {
    try {
      const answer = await fetch(`/rows?since=${at}`);
      if (answer.ok) {
        take(await answer.json());
        pulse("live", word);
      }
    } catch { /* the stream tells */ }
  };
  addEventListener("pageshow", (e) => { if (e.persisted) catchUp(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) catchUp(); });
  if (navigator.locks && others) {
    let mine = false;
    navigator.locks.request("dropcap-stream", () => {
      mine = true;
      return listen();
    });
    setTimeout(() => { if (!mine) catchUp(); }, 300);
  } else listen();

  // The overview: a grid of containers and capabilities (WAI-ARIA's grid pattern), filtered and sorted in the browser.
  function overview(matrix) {
    const body = matrix.tBodies[0];
    const heads = [...matrix.tHead.rows[1].cells];
    const cols = $("col", matrix);
    const filter = id("filter"), sort = id("sort"), about = id("about");
    const signs = { d: "●", a: "+", b: "+", x: "○", r: "↺", n: "·", u: "?" };
    const words = {
      d: "held by default", a: "held, added by name", b: "held, beyond the defaults", x: "a default, dropped", n: "not held",
      u: "unknown", r: "given up by its processes, granted again at a restart or an exec",
      f: "a finding", k: "an accepted finding", w: "seen to be needed", z: "not seen to be needed",
    };
    const rows = new Map($("tr", body).map((r) => [r.dataset.id, r]));
    matrix.setAttribute("role", "grid");

    const meaning = (cell) => {
      const row = cell.parentElement;
      if (row.parentElement === matrix.tHead) return cell.title || cell.textContent;
      const name = row.querySelector("a").textContent;
      if (cell.cellIndex === 0) return `${name}: ${row.dataset.v}`;
      return `${name}, ${heads[cell.cellIndex].textContent}: ${[...cell.classList].map((c) => words[c]).filter(Boolean).join("; ")}`;
    };
    let current = null, lit = null;
    const enter = (cell) => {
      if (cell === current) return; // it has the focus, and would lose it
      current?.removeAttribute("tabindex"); // only one cell is a tab stop, and the others need none
      current = cell;
      cell.tabIndex = 0;
    };
    const show = (cell) => {
      lit?.classList.remove("here");
      const real = cell && !cell.closest(".groups");
      lit = real && cell.cellIndex > 0 ? cols[cell.cellIndex] : null;
      lit?.classList.add("here");
      about.textContent = real ? meaning(cell) : "";
      if (real && cell.cellIndex > 0) cell.setAttribute("aria-label", meaning(cell));
    };
    const lines = () => [matrix.tHead.rows[1], ...[...body.rows].filter((r) => !r.hidden)];
    const move = (down, right) => {
      const all = lines();
      const y = Math.min(all.length - 1, Math.max(0, all.indexOf(current.parentElement) + down));
      const x = Math.min(heads.length - 1, Math.max(0, current.cellIndex + right));
      enter(all[y].cells[x]);
      current.focus();
    };
    const keys = {
      ArrowDown: () => move(1, 0), ArrowUp: () => move(-1, 0), ArrowRight: () => move(0, 1), ArrowLeft: () => move(0, -1),
      PageDown: () => move(10, 0), PageUp: () => move(-10, 0),
      Home: (e) => move(e.ctrlKey ? -Infinity : 0, -Infinity), End: (e) => move(e.ctrlKey ? Infinity : 0, Infinity),
      Enter: () => current.parentElement.querySelector("a")?.click(),
    };
    matrix.addEventListener("keydown", (e) => {
      if (e.altKey || e.metaKey || !keys[e.key] || e.target.closest("a")) return;
      e.preventDefault();
      keys[e.key](e);
    });
    matrix.addEventListener("focusin", (e) => {
      const cell = e.target.closest("td, th");
      if (!cell) return;
      enter(cell);
      show(cell);
    });
    matrix.addEventListener("focusout", () => show(null));
    matrix.addEventListener("mouseover", (e) => show(e.target.closest("tbody td, tbody th, .caps th")));
    matrix.addEventListener("mouseleave", () => show(null));
    matrix.addEventListener("click", (e) => {
      const cell = e.target.closest("tbody td, tbody th");
      if (!cell || e.target.closest("a")) return;
      enter(cell);
      cell.focus();
    });

    const refresh = () => {
      const terms = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = new Set($(".toggle[aria-pressed=true]").map((b) => b.dataset.verdict));
      let n = 0;
      for (const row of rows.values()) {
        row.hidden = !wanted.has(row.dataset.v) || !terms.every((t) => row.dataset.s.includes(t));
        if (!row.hidden) n++;
      }
      id("shown").textContent = n === rows.size ? "" : `${n} of ${rows.size} shown`;
      const none = $(".empty")[0];
      none.hidden = n > 0;
      none.textContent = n > 0 ? "" : "No container is to be shown.";
      if (!current || current.parentElement.hidden || !current.isConnected) enter(heads[0]);
    };
    const worst = { fail: 0, unknown: 1, mitigated: 2, waived: 3, pass: 4 };
    const name = (r) => r.querySelector("a").textContent;
    const compare = {
      "": (a, b) => (a.dataset.o < b.dataset.o) - (a.dataset.o > b.dataset.o),
      name: (a, b) => name(a).localeCompare(name(b)),
      workload: (a, b) => a.dataset.g.localeCompare(b.dataset.g) || name(a).localeCompare(name(b)),
      verdict: (a, b) => worst[a.dataset.v] - worst[b.dataset.v] || name(a).localeCompare(name(b)),
    };
    const order = () => {
      const list = [...rows.values()].sort(compare[sort.value] ?? compare[""]);
      if (list.every((r, i) => body.rows[i] === r)) return;
      const focused = document.activeElement;
      body.replaceChildren(...list);
      if (focused !== document.activeElement) focused.focus({ preventScroll: true });
    };
    const remember = () => {
      const url = new URL(location.href);
      for (const f of [filter, sort]) if (f.value) url.searchParams.set(f.name, f.value); else url.searchParams.delete(f.name);
      history.replaceState(null, "", url);
    };
    filter.addEventListener("input", () => { refresh(); remember(); });
    sort.addEventListener("change", () => { order(); remember(); });
    filter.form.addEventListener("submit", (e) => e.preventDefault());
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
    const searches = (e) => e.key === "/" && !e.ctrlKey && !e.metaKey && !e.target.closest("input, textarea, select");
    document.addEventListener("keydown", (e) => { if (searches(e)) e.preventDefault(); }); // some browsers have a search of their own
    document.addEventListener("keyup", (e) => { if (searches(e)) filter.focus(); });

    const draw = (data) => {
      let row = rows.get(data.id);
      const fresh = !row;
      if (fresh) {
        row = document.createElement("tr");
        row.dataset.id = data.id;
        const head = document.createElement("th");
        head.scope = "row";
        head.append(document.createElement("span"), document.createElement("a"), document.createElement("small"));
        row.append(head);
        for (let i = 1; i < heads.length; i++) row.append(document.createElement("td"));
        rows.set(data.id, row);
        row.querySelector("a").tabIndex = -1;
      }
      const [badge, link, small] = row.cells[0].children;
      badge.className = `badge ${data.verdict}`;
      badge.textContent = data.verdict;
      link.textContent = data.name;
      link.href = data.at;
      small.textContent = data.image;
      Object.assign(row.dataset, { v: data.verdict, s: data.search, o: data.created, g: data.group });
      const cells = data.cells.split(",");
      for (let i = 1; i < heads.length; i++) {
        const cell = row.cells[i], here = lit === cols[i];
        cell.className = cells[i - 1];
        cell.textContent = signs[cells[i - 1][0]];
        if (here || cell === current) cell.removeAttribute("aria-label");
      }
      row.classList.remove("new");
      void row.offsetWidth;
      row.classList.add("new");
    };
    const take = (news) => {
      for (const r of news.rows ?? []) draw(r);
      for (const g of news.gone ?? []) {
        rows.get(g)?.remove();
        rows.delete(g);
      }
      if (news.summary) {
        for (const b of $(".toggle")) b.querySelector("b").textContent = news.summary[b.dataset.verdict] ?? 0;
        id("first")?.remove();
      }
      if (news.rows || news.gone) {
        order();
        refresh();
      }
    };
    for (const row of rows.values()) row.querySelector("a").tabIndex = -1;
    enter(body.rows[0]?.cells[0] ?? heads[0]);
    if (filter.value) refresh();
    return { take };
  }
})();
