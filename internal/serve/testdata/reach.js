(() => {
  const wrong = [];
  const all = (s) => [...document.querySelectorAll(s)];
  const say = (what, e) => wrong.push(`${what}: ${e ? e.outerHTML.slice(0, 110) : ""}`);
  const shown = (e) => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  if (!document.documentElement.lang) say("no language");
  if (all("h1").length !== 1) say(`${all("h1").length} h1`);
  for (const s of ["main", "body > header", "body > footer"]) if (all(s).length !== 1) say(`${all(s).length} ${s}`);
  for (const n of all("nav")) if (!n.getAttribute("aria-label")) say("a nav with no name", n);
  for (const i of all("input:not([type=hidden]), select, textarea")) {
    if (!i.labels?.length && !i.getAttribute("aria-label")) say("no label", i);
  }
  for (const e of all("a[href], button")) if (!e.closest("[hidden]") && !e.textContent.trim() && !e.getAttribute("aria-label")) say("no name", e);
  const ids = new Set();
  for (const e of all("[id]")) {
    if (ids.has(e.id)) say("an id twice", e);
    ids.add(e.id);
  }
  for (const a of ["aria-labelledby", "aria-describedby", "for"]) {
    for (const e of all(`[${a}]`)) for (const id of e.getAttribute(a).split(" ")) if (!ids.has(id)) say("refers to nothing", e);
  }
  let level = 0;
  for (const h of all("h1, h2, h3, h4, h5, h6").filter(shown)) {
    const n = Number(h.tagName[1]);
    if (n > level + 1) say("a heading is left out before", h);
    level = n;
  }
  for (const h of all("thead th, tbody th")) if (!h.scope) say("no scope", h);
  const rgba = (c) => {
    const m = c.match(/[\d.]+/g).map(Number);
    return [m[0], m[1], m[2], m.length > 3 ? m[3] : 1];
  };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const ground = (e) => {
    const layers = [];
    for (let x = e; x; x = x.parentElement) layers.push(rgba(getComputedStyle(x).backgroundColor));
    return layers.reverse().reduce((under, c) => over(c, under), [255, 255, 255, 1]);
  };
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    // What is a sign only, a disabled control or hidden is left out, as axe-core does.
    if (!/[\p{L}\p{N}]/u.test(walk.currentNode.data) || seen.has(e) || e.closest("[hidden], :disabled, .hide, .skip, noscript") || !shown(e)) continue;
    seen.add(e);
    const style = getComputedStyle(e), under = ground(e), ink = over(rgba(style.color), under);
    const [a, b] = [light(ink), light(under)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) say(`contrast ${ratio.toFixed(2)}`, e);
  }
  return wrong.join("\n");
})()
