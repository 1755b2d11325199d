"use strict";
// The page of a run. It shows data as text (textContent) or as pictures, never as markup. Samples are stored as columns, the most harmful
// first, or the most surely wrong: sample i has phi[i], given[i] and so on, and the suspects are the first ones. Of samples that were
// drawn at random all are to be decided, and count as suspects.
(() => {
  const KINDS = { f8: Float64Array, f4: Float32Array, u4: Uint32Array, i4: Int32Array, u2: Uint16Array, u1: Uint8Array };
  const CHUNK = 1000; // the decisions of so many rows are stored under one key
  const MOST_KEYS = 10, MOST_CELLS = 12; // classes, at most, for choosing labels by keys and for showing the matrix
  const UNDECIDED = 0, ACCEPTED = 1, REJECTED = 2;

  const el = (id) => document.getElementById(id);
  const page = JSON.parse(el("data").textContent);
  const { facts } = page, { classes } = facts, drawn = facts.order === "drawn", noun = drawn ? "row" : "suspect";
  const ranked = facts.order !== "influence"; // then without Phi, alpha and a histogram
  const decode = ([kind, base64]) => new KINDS[kind](Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0)).buffer);
  const arrays = Object.fromEntries(Object.entries(page.arrays).map(([name, packed]) => [name, decode(packed)]));
  const { rows, phi, eta, given, suggested, p_given, p_suggested, uncertainty, flipped, counts, columns, values, pulls } = arrays;
  const alikeOf = new Map(Array.from(arrays.alike_samples, (i, place) => [i, place])), alikeEach = arrays.alike.length / (alikeOf.size || 1);
  const n = rows.length, known = flipped.length > 0, explained = columns.length / page.features;
  const pageSize = page.sheets.length ? 48 : explained ? 24 : 48;

  const decided = new Int32Array(n).fill(-1), chance = new Uint8Array(n).fill(drawn ? 1 : 0), when = new Float64Array(n), by = new Array(n).fill("");
  const past = []; // for undo
  const state = { alpha: facts.alpha, scope: "suspects", decision: "any", flip: "any", pair: null, order: "first", at: 0, why: false };
  let list = new Int32Array(0), above = 0, unsaved = false;

  // Text

  const count = (value) => value.toLocaleString("en");
  const number = (value) => {
    const size = Math.abs(value);
    return size === 0 ? "0" : size < 1e-5 || size >= 1e6 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  };
  const share = (p) => (p >= 0.0005 && p <= 0.9995 ? `${(100 * p).toFixed(1)}%` : p < 0.5 ? "< 0.1%" : "> 99.9%");
  const many = (value, noun) => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
  const make = (tag, properties = {}, children = []) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const draw = (tag, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const say = (text) => { el("status").textContent = text; };
  const warn = (text) => { el("alert").textContent = text; el("alert").hidden = false; };

  // Decisions, in the browser's local storage

  const KEY = `rdia-audit:${facts.run}:`, NAME = "rdia-audit-name";
  const storage = (() => {
    try {
      localStorage.setItem("rdia-audit-try", "1");
      localStorage.removeItem("rdia-audit-try");
      return localStorage;
    } catch {
      return null;
    }
  })();
  const chunks = new Map();
  const chunkOf = (i) => Math.floor(rows[i] / CHUNK);
  for (let i = 0; i < n; i++) chunks.has(chunkOf(i)) ? chunks.get(chunkOf(i)).push(i) : chunks.set(chunkOf(i), [i]);

  const ofOthers = (chunk) => { // what is stored of rows that only another page of this run has
    const own = new Set(chunks.get(chunk).map((i) => rows[i]));
    try {
      return JSON.parse(storage.getItem(KEY + chunk) || "[]").filter(([row]) => !own.has(row));
    } catch {
      return [];
    }
  };
  const store = (places) => {
    unsaved = true;
    try {
      for (const chunk of storage ? new Set(places.map(chunkOf)) : []) {
        const kept = ofOthers(chunk);
        for (const i of chunks.get(chunk)) if (decided[i] >= 0) kept.push([rows[i], decided[i], when[i], by[i], chance[i]]);
        kept.length ? storage.setItem(KEY + chunk, JSON.stringify(kept)) : storage.removeItem(KEY + chunk);
      }
    } catch {
      warn("The browser's storage is full: the last decisions will not survive a reload. Export them before you close this page.");
    }
  };
  const restore = (chunk) => {
    const places = new Map(chunks.get(chunk).map((i) => [rows[i], i]));
    for (const i of places.values()) decided[i] = -1;
    try {
      for (const [row, label, time, name, atRandom] of JSON.parse(storage.getItem(KEY + chunk) || "[]")) {
        const i = places.get(row);
        if (i === undefined || !(label >= 0 && label < classes.length)) continue;
        decided[i] = label;
        when[i] = Number(time);
        by[i] = String(name);
        if (atRandom === 1) chance[i] = 1;
      }
    } catch {
      warn("Some stored decisions could not be read and were skipped.");
    }
  };
  const status = (i) => (decided[i] < 0 ? UNDECIDED : decided[i] === given[i] ? REJECTED : decided[i] === suggested[i] ? ACCEPTED : 3);
  const VERDICTS = [
    () => "not decided",
    (i) => `✓ accepted: ${classes[decided[i]]}`,
    (i) => `${drawn ? "✓ kept" : "✗ rejected: stays"} ${classes[decided[i]]}`,
    (i) => `✎ another label: ${classes[decided[i]]}`,
  ];
  const verdict = (i) => VERDICTS[status(i)](i);

  const decide = (places, label) => {
    if (!places.length) return;
    past.push(places.map((i) => [i, decided[i], when[i], by[i]]));
    const now = Date.now();
    for (const i of places) [decided[i], when[i], by[i]] = [label(i), now, el("name").value.trim()];
    store(places);
    say(places.length > 1 ? `${count(places.length)} suggestions accepted; undo reverts all of them.` : `Row ${rows[places[0]]}: ${verdict(places[0])}.`);
  };
  const undo = () => {
    const change = past.pop();
    if (!change) return say("There is nothing to undo.");
    for (const [i, label, time, name] of change) [decided[i], when[i], by[i]] = [label, time, name];
    store(change.map(([i]) => i));
    say(change.length > 1 ? `${count(change.length)} decisions undone.` : `Row ${rows[change[0][0]]}: ${verdict(change[0][0])} again.`);
    show();
    const place = list.indexOf(change[0][0]);
    if (place >= 0) go(place);
  };

  // Which samples are shown

  const countAbove = (alpha) => { // binary search: phi decreases
    let low = 0, high = n;
    while (low < high) {
      const middle = (low + high) >> 1;
      phi[middle] > alpha ? (low = middle + 1) : (high = middle);
    }
    return low;
  };
  const pairs = new Uint32Array(classes.length <= 256 ? classes.length ** 2 : 0), sparse = new Map();
  const tally = { states: [0, 0, 0, 0], suspects: 0, undecided: 0 };
  const select = () => {
    above = ranked ? Math.min(n, facts.suspects) : countAbove(state.alpha);
    const end = state.scope === "all" ? n : above, found = new Int32Array(end);
    const wanted = state.decision === "any" ? -1 : Number(state.decision), flip = state.flip === "any" ? -1 : Number(state.flip);
    let length = 0;
    pairs.fill(0);
    sparse.clear();
    Object.assign(tally, { states: [0, 0, 0, 0], suspects: 0, undecided: 0 });
    for (let i = 0; i < n; i++) {
      const is = status(i);
      tally.states[is]++;
      if (i < above && is !== UNDECIDED) tally.suspects++;
      if (i >= end || (wanted >= 0 && is !== wanted) || (flip >= 0 && flipped[i] !== flip)) continue;
      const pair = given[i] * classes.length + suggested[i];
      pairs.length ? pairs[pair]++ : sparse.set(pair, (sparse.get(pair) || 0) + 1);
      if (state.pair !== null && state.pair !== pair) continue;
      found[length++] = i;
      if (is === UNDECIDED && given[i] !== suggested[i]) tally.undecided++;
    }
    list = found.subarray(0, length);
    if (state.order === "uncertainty") list.sort((a, b) => uncertainty[b] - uncertainty[a] || a - b);
    state.at = Math.max(0, Math.min(state.at, length - 1));
  };
  const open = (places) => Array.from(places).filter((i) => decided[i] < 0 && given[i] !== suggested[i]);
  const firstShown = () => Math.floor(state.at / pageSize) * pageSize;
  const shownPage = () => list.subarray(firstShown(), firstShown() + pageSize);

  // The histogram and the slider under it: one axis, linear about 0 and logarithmic beyond

  const toAxis = (value) => Math.asinh(value / facts.linear);
  const limits = (() => {
    const bins = facts.edges.length - 1, filled = (bin) => counts[bin] + counts[bins + bin] > 0;
    let first = 0, last = bins;
    while (first < bins && !filled(first)) first++;
    while (last > first && !filled(last - 1)) last--;
    return { first, last, low: Math.min(0, facts.edges[first]), high: Math.max(facts.edges[last], facts.linear), bins };
  })();
  const least = facts.n_train > n ? Math.max(0, phi[n - 1]) : 0; // the slider begins here: the page holds no samples below
  const most = Math.max(limits.high, least);
  const sliderToAlpha = (value) => (value <= 0 ? least : value >= 1000 ? most : facts.linear * Math.sinh(toAxis(least) + (value / 1000) * (toAxis(most) - toAxis(least))));
  const alphaToSlider = (alpha) => Math.round((1000 * (toAxis(alpha) - toAxis(least))) / (toAxis(most) - toAxis(least) || 1));
  const curve = facts.curve.map((point) => [Math.max(0, point.alpha), point.loss]).sort((a, b) => a[0] - b[0]);
  const expected = (alpha) => { // interpolated between the alphas that the run tried, constant beyond them
    if (curve.length < 2) return null;
    const next = curve.findIndex(([value]) => value >= alpha);
    if (next <= 0) return curve[next < 0 ? curve.length - 1 : 0][1];
    const [[a, lossA], [b, lossB]] = [curve[next - 1], curve[next]];
    return lossA + ((lossB - lossA) * (toAxis(alpha) - toAxis(a))) / (toAxis(b) - toAxis(a) || 1);
  };

  const HEIGHT = 170, LOSS = 92, LEFT = 46, RIGHT = 14, AXIS = 28;
  const chart = { width: 0, x: null, y: null, line: null, region: null, dot: null };
  const ticks = (x, width) => { // 0, powers of ten, then 5 and 2 times these, if there is room
    const kept = [0], top = Math.floor(Math.log10(Math.max(most, -limits.low)));
    const fits = (value) => kept.every((other) => Math.abs(x(value) - x(other)) > 56) && x(value) > LEFT - 1 && x(value) < width - 10;
    for (const digit of [1, 5, 2])
      for (let power = top; power > top - 5; power--)
        for (const value of [digit * 10 ** power, -digit * 10 ** power]) if (value <= most && value >= limits.low && fits(value)) kept.push(value);
    return kept;
  };
  const bars = (svg, x) => {
    let tallest = 1;
    for (let bin = 0; bin < limits.bins; bin++) tallest = Math.max(tallest, counts[bin] + counts[limits.bins + bin]);
    const top = 14, y = (value) => HEIGHT - ((HEIGHT - top) * value) / tallest;
    for (let bin = limits.first; bin < limits.last; bin++) {
      const left = x(facts.edges[bin]), width = Math.max(1, x(facts.edges[bin + 1]) - left - 1);
      for (const [from, size, fill] of [[0, counts[bin], "var(--came)"], [counts[bin], counts[limits.bins + bin], "url(#hatch)"]])
        if (size) svg.append(draw("rect", { x: left, width, y: y(from + size), height: y(from) - y(from + size), fill }));
    }
    svg.append(draw("text", { x: LEFT - 6, y: top + 4, "text-anchor": "end" }, count(tallest)), draw("text", { x: LEFT - 6, y: HEIGHT, "text-anchor": "end" }, "0"));
    svg.append(draw("line", { x1: LEFT, x2: LEFT, y1: top, y2: HEIGHT, stroke: "var(--line)" }));
  };
  const lossPanel = (svg, x, top) => {
    const losses = curve.map(([, loss]) => loss), low = Math.min(...losses), high = Math.max(...losses);
    chart.y = (loss) => top + 24 + (LOSS - 34) * (high > low ? (high - loss) / (high - low) : 0.5);
    const path = [...curve.map(([alpha, loss]) => [x(Math.min(alpha, most)), chart.y(loss)]), [x(most), chart.y(losses[losses.length - 1])]];
    svg.append(draw("text", { x: LEFT, y: top + 8 }, "expected validation loss by alpha"));
    svg.append(draw("polyline", { points: path.map((point) => point.join(",")).join(" "), fill: "none", stroke: "var(--text)", "stroke-width": 1.5 }));
    for (const [px, py] of path.slice(0, -1)) svg.append(draw("circle", { cx: px, cy: py, r: 3, fill: "var(--text)" }));
    const labels = high > low ? [high, low] : [low];
    for (const loss of labels) svg.append(draw("text", { x: LEFT - 6, y: chart.y(loss) + 4, "text-anchor": "end" }, loss.toFixed(3)));
    chart.dot = svg.appendChild(draw("circle", { r: 6, fill: "var(--ground)", stroke: "var(--accent)", "stroke-width": 3 }));
  };
  const hatch = (id) => {
    const pattern = draw("pattern", { id, width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    pattern.append(draw("rect", { width: 5, height: 5, fill: "var(--ground)" }), draw("rect", { width: 3, height: 5, fill: "var(--flipped)" }));
    return pattern;
  };
  const drawChart = () => {
    const width = Math.max(240, el("chart").clientWidth), low = toAxis(limits.low), high = toAxis(most);
    if (width === chart.width) return;
    chart.width = width;
    const x = (chart.x = (value) => LEFT + ((width - LEFT - RIGHT) * (toAxis(value) - low)) / (high - low || 1));
    const bottom = HEIGHT + AXIS + (curve.length > 1 ? LOSS : 0);
    const svg = draw("svg", { viewBox: `0 0 ${width} ${bottom}`, height: bottom });
    svg.append(hatch("hatch"));
    chart.region = svg.appendChild(draw("rect", { y: 0, height: bottom, fill: "var(--accent)", "fill-opacity": 0.1 }));
    bars(svg, x);
    svg.append(draw("line", { x1: LEFT, x2: width - RIGHT, y1: HEIGHT, y2: HEIGHT, stroke: "var(--edge)" }));
    for (const value of ticks(x, width)) {
      svg.append(draw("line", { x1: x(value), x2: x(value), y1: HEIGHT, y2: HEIGHT + 4, stroke: "var(--edge)" }));
      svg.append(draw("text", { x: x(value), y: HEIGHT + 16, "text-anchor": "middle" }, value === 0 ? "Phi = 0" : String(Number(value.toPrecision(1)))));
    }
    if (curve.length > 1) lossPanel(svg, x, HEIGHT + AXIS);
    chart.line = svg.appendChild(draw("line", { y1: 0, y2: bottom, stroke: "var(--accent)", "stroke-width": 2, "stroke-dasharray": "6 3" }));
    el("chart").replaceChildren(svg);
    const thumb = 16, left = x(least) - thumb / 2; // its middle moves from x(least) to x(most)
    Object.assign(el("slider").style, { marginLeft: `${left}px`, width: `${Math.max(60, x(most) - x(least) + thumb)}px` });
    placeAlpha();
  };
  const placeAlpha = () => {
    const at = chart.x(Math.max(least, Math.min(state.alpha, most))), loss = expected(state.alpha);
    for (const name of ["x1", "x2"]) chart.line.setAttribute(name, at);
    chart.region.setAttribute("x", at);
    chart.region.setAttribute("width", Math.max(0, chart.x(most) - at));
    if (loss !== null) for (const [name, value] of [["cx", at], ["cy", chart.y(loss)]]) chart.dot.setAttribute(name, value);
  };
  const legend = () => {
    const total = (row) => counts.subarray(row * limits.bins, (row + 1) * limits.bins).reduce((sum, value) => sum + value, 0);
    const entries = [["var(--came)", `${known ? "not flipped" : "training labels"}: ${count(total(0))}`]];
    if (known) entries.push(["url(#hatch-legend)", `flipped on purpose: ${count(total(1))}`]);
    for (const [fill, text] of entries) {
      const sign = draw("svg", { width: 16, height: 12, "aria-hidden": "true" });
      sign.append(hatch("hatch-legend"), draw("rect", { width: 16, height: 12, fill }));
      el("legend").append(make("span", {}, [sign, text]));
    }
  };

  const readout = () => {
    const loss = expected(state.alpha), partly = above === n && facts.n_train > n ? "at least " : "";
    const text = `${partly}${many(above, "suspect")} of ${count(facts.n_train)} training labels`;
    el("alpha").textContent = number(state.alpha);
    el("suspects").textContent = text;
    el("expected").hidden = loss === null;
    if (loss !== null) el("expected").textContent = `expected validation loss: ${loss.toFixed(4)} (labels as given: ${curve[curve.length - 1][1].toFixed(4)})`;
    el("slider").setAttribute("aria-valuetext", `alpha ${number(state.alpha)}: ${text}`);
    el("chart").setAttribute("aria-label", `Histogram of Phi, from ${number(limits.low)} to ${number(most)}; ${text} lie above alpha = ${number(state.alpha)}`);
    el("reset").disabled = state.alpha === facts.alpha;
    placeAlpha();
  };

  // The matrix of given by suggested labels

  const cells = new Map(), heat = () => Math.max(1, ...(pairs.length ? pairs : sparse.values()));
  const takePair = (pair) => { state.pair = state.pair === pair ? null : pair; state.at = 0; show(); };
  const buildMatrix = () => {
    if (classes.length > MOST_CELLS) {
      const choice = make("select", { ariaLabel: "Given and suggested label" });
      choice.addEventListener("change", () => { state.pair = choice.value === "" ? null : Number(choice.value); state.at = 0; show(); });
      return el("matrix").replaceChildren(choice);
    }
    const over = make("tr", {}, [make("td"), make("th", { textContent: "suggested", colSpan: classes.length, scope: "colgroup" })]);
    const head = make("tr", {}, [make("th", { textContent: "given", scope: "col" }), ...classes.map((name) => make("th", { textContent: name, title: name, scope: "col" }))]);
    const body = classes.map((name, g) => make("tr", {}, [make("th", { textContent: name, title: name, scope: "row" }), ...classes.map((_, s) => {
      const button = make("button", { type: "button", onclick: () => takePair(g * classes.length + s) });
      cells.set(g * classes.length + s, button);
      return make("td", {}, [button]);
    })]));
    el("matrix").replaceChildren(make("table", {}, [make("thead", {}, [over, head]), make("tbody", {}, body)]));
  };
  const pairName = (pair) => `given ${classes[Math.floor(pair / classes.length)]}, suggested ${classes[pair % classes.length]}`;
  const updateMatrix = () => {
    const found = pairs.length ? (pair) => pairs[pair] : (pair) => sparse.get(pair) || 0;
    if (classes.length > MOST_CELLS) {
      const used = pairs.length ? Array.from(pairs.keys()).filter((pair) => pairs[pair]) : [...sparse.keys()];
      const shown = used.sort((a, b) => found(b) - found(a)).slice(0, 300);
      if (state.pair !== null && !shown.includes(state.pair)) shown.push(state.pair);
      const option = (value, textContent) => make("option", { value, textContent });
      const choice = el("matrix").firstChild;
      choice.replaceChildren(option("", "any"), ...shown.map((pair) => option(pair, `${pairName(pair)} (${count(found(pair))})`)));
      choice.value = state.pair === null ? "" : state.pair;
      return;
    }
    const largest = heat();
    for (const [pair, button] of cells) {
      const value = found(pair), on = state.pair === pair;
      button.textContent = value ? count(value) : "·";
      button.disabled = !value && !on;
      button.setAttribute("aria-pressed", on);
      button.setAttribute("aria-label", `${pairName(pair)}: ${many(value, "sample")}`);
      button.style.background = value ? `rgba(var(--heat), ${(0.06 + (0.34 * value) / largest).toFixed(3)})` : "transparent";
    }
  };

  // The samples: one page of cards, made once and filled anew

  const decoded = new Map();
  const sheet = (address) => {
    if (!decoded.has(address)) {
      const image = new Image();
      image.src = address;
      decoded.set(address, image.decode().then(() => image));
    }
    return decoded.get(address);
  };
  const newPicture = () => {
    const canvas = make("canvas", { className: "picture", height: facts.tile[0], width: facts.tile[1] });
    canvas.classList.toggle("crisp", Math.max(...facts.tile) <= 32);
    canvas.setAttribute("aria-hidden", "true");
    return canvas;
  };
  const drawPicture = (canvas, i, sheets = page.sheets) => {
    const [height, width] = facts.tile, place = i % page.sheet;
    canvas.dataset.sample = i;
    sheet(sheets[Math.floor(i / page.sheet)]).then((image) => {
      if (canvas.dataset.sample !== String(i)) return; // meanwhile the card shows another sample
      const [x, y] = [(place % page.across) * width, Math.floor(place / page.across) * height];
      canvas.getContext("2d").drawImage(image, x, y, width, height, 0, 0, width, height);
    });
  };
  const featureTable = (i) => {
    const cell = (tag, textContent, scope) => make(tag, scope ? { textContent, scope } : { textContent });
    const body = [];
    for (let k = i * page.features; k < (i + 1) * page.features && columns[k] >= 0; k++)
      body.push(make("tr", {}, [cell("th", page.names[columns[k]], "row"), cell("td", number(values[k])), cell("td", (pulls[k] > 0 ? "+" : "") + number(pulls[k]))]));
    const head = make("tr", {}, [cell("th", "feature", "col"), cell("th", "value", "col"), cell("th", "pull", "col")]);
    return [make("thead", {}, [head]), make("tbody", {}, body)];
  };
  const pulledWords = (i) => { // words of the text whose features pull, as [word, pull], the longest first
    const found = [];
    for (let k = i * page.features; i < explained && k < (i + 1) * page.features && columns[k] >= 0; k++) {
      const [, word] = page.names[columns[k]].split(/: (.*)/s);
      if (word) found.push([word, pulls[k]]);
    }
    return found.sort((a, b) => b[0].length - a[0].length);
  };
  const markedText = (text, i) => { // the text with these words marked
    const found = [];
    for (const [word, pull] of pulledWords(i)) {
      const pattern = word.split(/[^\p{L}\p{N}_]+/u).filter(Boolean).join("[^\\p{L}\\p{N}_]+");
      if (!pattern) continue;
      for (const match of text.matchAll(new RegExp(`(?<![\\p{L}\\p{N}_])${pattern}(?![\\p{L}\\p{N}_])`, "giu"))) {
        const [start, end] = [match.index, match.index + match[0].length];
        if (found.every((other) => end <= other.start || start >= other.end)) found.push({ start, end, pull });
      }
    }
    const parts = [];
    let at = 0;
    for (const { start, end, pull } of found.sort((a, b) => a.start - b.start)) {
      const textContent = text.slice(start, end), towards = pull > 0 ? "the suggested label" : "the given label";
      parts.push(text.slice(at, start), make("mark", { className: pull > 0 ? "for" : "against", textContent, title: `speaks for ${towards}` }));
      at = end;
    }
    return [...parts, text.slice(at)];
  };
  const example = (number) => { // a row that is shown because it is like another
    const row = `row ${arrays.example_rows[number]}`, text = page.example_about[number] || (page.example_sheets.length ? "" : row);
    const made = make("li", { title: row });
    if (number < page.example_sheets.length * page.sheet) {
      drawPicture(made.appendChild(newPicture()), number, page.example_sheets);
      made.setAttribute("aria-label", row);
    } else made.append(text);
    return made;
  };
  const alikeRows = (i) => { // those of the given label, then those of the other one
    const start = alikeOf.get(i) * alikeEach, parts = [];
    for (const [side, name] of ["given", "suggested"].entries()) {
      const some = Array.from(arrays.alike.subarray(start + (side * alikeEach) / 2, start + ((side + 1) * alikeEach) / 2)).filter((number) => number >= 0);
      if (some.length) parts.push(make("p", { className: name, textContent: `surely ${classes[arrays.example_labels[some[0]]]}:` }), make("ul", {}, some.map(example)));
    }
    return parts.length ? parts : [make("p", { textContent: "There is no row of whose label the repair is sure." })];
  };
  const showWhy = (open) => {
    state.why = open;
    for (const card of cards) card.why.open = open;
    fillWhy();
  };
  const fillWhy = () => {
    for (const card of cards) if (state.why && !card.why.hidden && !card.item.hidden && card.why.dataset.sample !== String(card.sample)) {
      card.why.dataset.sample = card.sample;
      card.why.replaceChildren(card.why.firstChild, ...alikeRows(card.sample));
    }
  };
  const keyed = classes.length > MOST_KEYS ? [] : classes.every((name) => /^[0-9]$/.test(name)) ? classes : classes.map((_, place) => String(place));
  const fillLabels = (choice) => {
    if (choice.options.length === 1) choice.append(...classes.map((name, value) => make("option", { value, textContent: keyed.length && keyed[value] !== name ? `${keyed[value]}: ${name}` : name })));
  };
  const newCard = (slot) => {
    const part = (tag, className) => make(tag, { className });
    const card = { given: part("span", "given"), suggested: part("span", "suggested"), picture: facts.pictures ? newPicture() : make("canvas"), features: make("table"),
      facts: make("dl"), flip: part("p", "flip"), file: part("p", "file"), verdict: part("p", "verdict"), accept: make("button", { type: "button" }), reject: make("button", { type: "button" }),
      back: make("button", { type: "button", textContent: "×", title: "Remove this decision", ariaLabel: "Remove this decision" }), other: make("select", { ariaLabel: "Another label" }, [make("option", { value: "", textContent: "another label …" })]) };
    card.accept.append("Accept ", make("kbd", { textContent: "a" }));
    card.reject.append(drawn ? "Keep " : "Reject ", make("kbd", { textContent: "r" }));
    card.why = make("details", { className: "why" }, [make("summary", {}, ["Why? Rows like it ", make("kbd", { textContent: "w" })])]);
    card.why.addEventListener("toggle", () => { if (card.why.open !== state.why) showWhy(card.why.open); });
    const change = make("p", { className: "change" }, [card.given, " → ", card.suggested]);
    const outcome = make("div", { className: "outcome" }, [card.verdict, card.back]);
    const buttons = make("div", { className: "buttons" }, [card.accept, card.reject, ...(classes.length > 2 ? [card.other] : [])]);
    card.box = make("div", { className: "sample", tabIndex: -1 }, [card.picture, change, card.file, card.facts, card.features, card.why, card.flip, outcome, buttons]);
    card.box.setAttribute("role", "group");
    card.item = make("li", {}, [card.box]);
    const place = () => firstShown() + slot;
    card.accept.onclick = () => judge(place(), "a");
    card.reject.onclick = () => judge(place(), "r");
    card.back.onclick = () => judge(place(), "Delete");
    card.other.onchange = () => { if (card.other.value !== "") judge(place(), Number(card.other.value)); };
    card.box.addEventListener("focusin", () => { fillLabels(card.other); mark(place()); });
    card.box.addEventListener("pointerenter", () => fillLabels(card.other));
    card.box.addEventListener("click", (event) => { if (!event.target.closest("button, select, summary")) go(place()); });
    return card;
  };
  const cards = Array.from({ length: pageSize }, (_, slot) => newCard(slot));
  const measures = (i) => [
    ["p", given[i] === suggested[i] ? share(p_given[i]) : `${share(p_given[i])} → ${share(p_suggested[i])}`],
    ...(ranked ? [] : [["Phi", number(phi[i])], ["eta", number(eta[i])]]), ["row", String(rows[i])],
  ];
  const describe = (card, i) => { // the parts of a card that depend on the sample only
    const pictured = i < facts.pictures;
    card.sample = i;
    card.given.textContent = classes[given[i]];
    card.suggested.textContent = given[i] !== suggested[i] ? classes[suggested[i]] : (drawn ? p_given[i] < 0.5 : facts.order === "wrong" && i < facts.suspects) ? "unsure" : "no change";
    card.facts.replaceChildren(...measures(i).flatMap(([name, text]) => [make("dt", { textContent: name }), make("dd", { textContent: text })]));
    card.picture.hidden = !pictured;
    if (pictured) drawPicture(card.picture, i);
    card.features.hidden = i >= explained;
    card.features.replaceChildren(...(i < explained ? featureTable(i) : []));
    card.flip.hidden = !known || !flipped[i];
    card.flip.textContent = "flipped on purpose";
    card.file.replaceChildren(...markedText(page.about[i] || "", i));
    card.why.hidden = !alikeOf.has(i);
    card.accept.disabled = given[i] === suggested[i];
  };
  const fill = (card, slot) => {
    const place = firstShown() + slot, i = list[place];
    card.item.hidden = i === undefined;
    if (i === undefined) return;
    if (card.sample !== i) describe(card, i);
    card.verdict.textContent = verdict(i);
    card.back.hidden = decided[i] < 0;
    card.box.dataset.state = drawn && status(i) === REJECTED ? ACCEPTED : status(i); // its colour: to keep a label is no objection
    card.other.value = "";
    card.box.setAttribute("aria-label", `Sample ${count(place + 1)} of ${count(list.length)}, row ${rows[i]}: given ${classes[given[i]]}, suggested ${card.suggested.textContent}, ${verdict(i)}`);
  };
  const mark = (place) => { // make it the current sample, the one that the Tab key reaches
    state.at = place;
    cards.forEach((card, slot) => {
      const current = firstShown() + slot === place;
      card.box.tabIndex = current ? 0 : -1;
      current ? card.box.setAttribute("aria-current", "true") : card.box.removeAttribute("aria-current");
      for (const control of [card.accept, card.reject, card.back, card.other, card.why.firstChild]) control.tabIndex = current ? 0 : -1;
    });
  };
  const go = (place) => { // move there, with the focus
    if (!list.length) return el("samples").focus();
    const before = firstShown();
    state.at = Math.max(0, Math.min(place, list.length - 1));
    if (firstShown() !== before) showSamples();
    mark(state.at);
    cards[state.at - firstShown()].box.focus();
  };
  const judge = (place, what) => {
    const i = list[place];
    if (i === undefined) return;
    if (what === "a" && given[i] === suggested[i]) return say(`Row ${rows[i]}: no other label is suggested.`);
    if (what === "Delete" && decided[i] < 0) return say(`Row ${rows[i]} is not decided.`);
    const label = { a: suggested[i], r: given[i], Delete: -1 }[what] ?? what;
    decide([i], () => label);
    state.at = place;
    show();
    if (label < 0) return go(place);
    go(list[place] === i ? place + 1 : place); // if a filter has removed the sample, the next one is in its place
  };

  const showSamples = () => {
    cards.forEach(fill);
    fillWhy();
    mark(state.at);
    const last = Math.ceil(list.length / pageSize);
    el("where").textContent = list.length ? `Page ${count(firstShown() / pageSize + 1)} of ${count(last)}` : "";
    el("previous").disabled = firstShown() === 0;
    el("next").disabled = firstShown() + pageSize >= list.length;
    el("none").hidden = list.length > 0;
    const here = open(shownPage()).length;
    el("accept-page").textContent = `Accept all on this page (${count(here)})`;
    el("accept-page").disabled = !here;
    el("accept-list").textContent = `Accept all shown on every page (${count(tally.undecided)})`;
    el("accept-list").disabled = !tally.undecided;
  };
  const showProgress = () => {
    const [, accepted, rejected, other] = tally.states, total = accepted + rejected + other;
    el("done").textContent = `${count(tally.suspects)} of ${many(above, noun)} decided: ${count(accepted)} accepted, ${count(rejected)} ${drawn ? "kept" : "rejected"}` + (classes.length > 2 ? `, ${count(other)} another label` : "")
      + (total > tally.suspects ? ` (${count(total - tally.suspects)} of them not suspects)` : "");
    el("progress").max = Math.max(1, above);
    el("progress").value = tally.suspects;
    el("undo").disabled = !past.length;
    el("export").textContent = `Export ${many(total, "decision")} as CSV`;
    el("export").disabled = !total;
  };
  // What the next looks bring

  const BLOCK = 20, BLOCKS = 10; // samples of a bar, and bars
  const expectedWrong = (places) => places.reduce((sum, i) => sum + 1 - p_given[i], 0);
  const errorOf = (places) => Math.sqrt(places.reduce((sum, i) => sum + p_given[i] * (1 - p_given[i]), 0));
  const gains = () => {
    const open = Array.from(list).filter((i) => decided[i] < 0), next = open.slice(0, BLOCK), done = [];
    for (let i = 0; i < n; i++) if (decided[i] >= 0 && p_given[i] > 0 && p_given[i] < 1) done.push(i); // 0 and 1: this run had the decision
    const found = done.filter((i) => decided[i] !== given[i]).length, coming = expectedWrong(next);
    el("gain-text").textContent = (done.length ? `Of ${many(done.length, "label")} that you decided ${count(found)} ${found === 1 ? "was" : "were"} wrong; the run expected ${expectedWrong(done).toFixed(1)} ± ${errorOf(done).toFixed(1)}. ` : "")
      + (next.length ? `Of the next ${next.length} it expects ${coming.toFixed(1)} ± ${errorOf(next).toFixed(1)}.` : "All that is listed is decided.")
      + (next.length === BLOCK && coming < 1 ? " Less than one wrong label in twenty looks: a good place to stop." : "");
    const bars = Array.from({ length: Math.min(BLOCKS, Math.ceil(open.length / BLOCK)) }, (_, block) => expectedWrong(open.slice(block * BLOCK, (block + 1) * BLOCK)));
    const svg = draw("svg", { viewBox: `0 0 ${BLOCKS * 22} 58`, width: BLOCKS * 22, height: 58, role: "img", "aria-label": `Wrong labels expected in each of the next ${bars.length} times ${BLOCK} samples: ${bars.map((bar) => bar.toFixed(1)).join(", ")}` });
    for (const [place, bar] of bars.entries()) {
      const height = (40 * bar) / BLOCK;
      svg.append(draw("rect", { x: place * 22 + 1, y: 44 - height, width: 20, height, fill: "var(--came)" }));
      svg.append(draw("text", { x: place * 22 + 11, y: 56, "text-anchor": "middle" }, bar < 9.5 ? bar.toFixed(bar < 0.95 ? 1 : 0) : Math.round(bar)));
    }
    el("gain-chart").replaceChildren(svg);
  };

  const show = () => {
    select();
    if (!ranked) readout();
    if (facts.order === "wrong") gains();
    updateMatrix();
    showSamples();
    showProgress();
  };

  // Export

  const exported = `decided-${facts.dataset.split(/[\\/]/).pop().replace(/[^\w.-]+/g, "_")}.csv`;
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const csv = () => {
    const lines = [["run", "index", "given", "suggested", "decided", "by", "when", "drawn"]];
    for (let i = 0; i < n; i++)
      if (decided[i] >= 0)
        lines.push([facts.run, String(rows[i]), classes[given[i]], classes[suggested[i]], classes[decided[i]], by[i] || el("name").value.trim(), new Date(when[i]).toISOString(), chance[i] ? "1" : ""]);
    return lines.map((line) => line.map(quoted).join(",") + "\r\n").join("");
  };
  const exportDecisions = () => {
    const address = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    make("a", { href: address, download: exported }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    unsaved = false;
    say("The decisions are exported.");
  };

  // Keys and buttons

  const gridColumns = () => getComputedStyle(el("samples")).gridTemplateColumns.split(" ").length;
  const MOVES = { ArrowLeft: () => -1, ArrowRight: () => 1, ArrowUp: () => -gridColumns(), ArrowDown: gridColumns };
  const onKey = (event) => {
    if (event.altKey || event.target.closest("input, select, textarea")) return;
    const key = event.key, command = event.ctrlKey || event.metaKey, label = keyed.indexOf(key);
    const undoing = key === (command ? "z" : "u");
    if (command && !undoing) return;
    if (!(key in MOVES || ["a", "r", "w", "Delete"].includes(key) || undoing || label >= 0)) return;
    if (!el("samples").contains(document.activeElement)) { // the first key only moves there, so that nothing is decided unseen
      if (document.activeElement !== document.body) return;
      event.preventDefault();
      return undoing ? undo() : go(state.at);
    }
    event.preventDefault();
    if (undoing) undo();
    else if (key === "w") showWhy(!state.why);
    else if (key in MOVES) go(state.at + MOVES[key]());
    else judge(state.at, label >= 0 ? label : key);
  };
  const filter = (change) => { Object.assign(state, change, { at: 0 }); show(); };
  const clear = () => { el("filters").reset(); filter({ scope: el("scope").value, decision: "any", flip: "any", pair: null, order: el("order").value }); };
  const acceptAll = (places) => { decide(open(places), (i) => suggested[i]); show(); };
  const turn = (step) => { state.at = firstShown() + step * pageSize; showSamples(); go(state.at); };
  const listen = () => {
    document.addEventListener("keydown", onKey);
    el("slider").addEventListener("input", () => filter({ alpha: sliderToAlpha(Number(el("slider").value)) }));
    el("reset").onclick = () => { el("slider").value = alphaToSlider(facts.alpha); filter({ alpha: facts.alpha }); el("slider").focus(); };
    el("order").addEventListener("change", () => { el("scope").value = "all"; filter({ scope: "all", order: el("order").value }); });
    for (const id of ["scope", "decision", "flip"]) el(id).addEventListener("change", () => filter({ [id]: el(id).value }));
    el("filters").addEventListener("submit", (event) => event.preventDefault());
    el("clear").onclick = clear;
    el("clear-too").onclick = () => { clear(); go(0); };
    el("previous").onclick = () => turn(-1);
    el("next").onclick = () => turn(1);
    el("undo").onclick = undo;
    el("accept-page").onclick = () => acceptAll(shownPage());
    el("accept-list").onclick = () => acceptAll(list);
    el("export").onclick = exportDecisions;
    el("name").addEventListener("change", () => { try { storage?.setItem(NAME, el("name").value); } catch { /* the name is then not remembered */ } });
    window.addEventListener("storage", (event) => { // from another window with this page
      const chunk = event.key?.startsWith(KEY) ? Number(event.key.slice(KEY.length)) : NaN;
      if (chunks.has(chunk)) { restore(chunk); show(); }
    });
    window.addEventListener("beforeunload", (event) => { if (!storage && unsaved) event.preventDefault(); });
  };

  const texts = () => {
    const labels = keyed === classes ? "a digit chooses that label" : keyed.length ? `${keyed.map((key, place) => `${key} ${classes[place]}`).join(", ")} choose a label`
      : "choose other labels from the list in each card";
    el("keys").textContent = `Keys, in the samples: arrows move, a accepts, r ${drawn ? "keeps the given label" : "rejects (the given label stays)"}, ${labels}, Delete removes a decision, u or Ctrl+Z undoes` + (alikeOf.size ? ", w shows rows like each sample." : ".");
    const held = facts.n_train > n && !drawn ? ` This page holds the first ${count(n)} of ${count(facts.n_train)} samples.` : "";
    el("notes").textContent = "p: predicted probability of the given → the suggested label."
      + (ranked ? held : " eta: effect of changing to the suggested label on the validation loss; below 0 it helps.")
      + (facts.pictures && facts.pictures < n ? ` Pictures are shown for the first ${count(facts.pictures)} samples.` : "")
      + (drawn || facts.order === "wrong" ? " Unsure: the given label is probably wrong, and no other is likely enough." : "")
      + (explained ? ` Pull: the feature's value times the difference of the two labels' weights; above 0 it speaks for the suggested label${facts.order === "wrong" ? ", or the likeliest other one" : ""}.` : "")
      + (alikeOf.size ? ` Why: for the first samples of each order, the rows most like it among those of whose label the repair is sure.` : "")
      + (explained && explained < n ? ` Features are shown for the first ${count(explained)} samples.` : "");
    el("grid").textContent = (curve.length > 1 ? `The run tried ${curve.length} values of alpha: Phi from one half of the validation rows, a new fit, the loss on the other half. Values between them are interpolated.`
      : facts.alpha_chosen || facts.n_validation < 2 ? "The run could not try several values of alpha, so there is no expected validation loss."
        : "This run did not try several values of alpha; run it with --alpha auto to see the expected validation loss.")
      + held;
    el("kept").textContent = storage ? "Your decisions are stored in this browser and survive a reload. They leave it only by the exported CSV."
      : "This browser stores nothing for a page opened this way: export before you close or reload it.";
    el("run").textContent = facts.run;
    el("command").textContent = `${facts.command || "the command of this run"} --labels ${exported}`;
    if (!storage) warn(el("kept").textContent);
  };
  const begin = () => {
    if (storage) {
      for (const chunk of chunks.keys()) restore(chunk);
      el("name").value = storage.getItem(NAME) || "";
    }
    el("flip-filter").hidden = !known;
    el("order-choice").hidden = !uncertainty.length;
    el("gain").hidden = facts.order !== "wrong";
    if (drawn) el("decision").options[3].textContent = "kept";
    el("matrix").parentElement.hidden = drawn;
    for (const id of ["scope-choice", "accept-page", "accept-list"]) el(id).hidden = drawn; // each row is to be looked at
    if (ranked && !facts.suspects) el("scope").options[1].defaultSelected = true; // with no suspects, all are shown
    state.scope = el("scope").value;
    if (classes.length === 2) el("decision").querySelector("[value='3']").remove();
    el("samples").classList.toggle("wide", explained > 0 || (!facts.pictures && page.about.length > 0)); // texts need room
    el("samples").append(...cards.map((card) => card.item));
    el("slider").value = alphaToSlider(state.alpha);
    texts();
    buildMatrix();
    if (!ranked) {
      legend();
      drawChart();
      new ResizeObserver(drawChart).observe(el("chart"));
    }
    listen();
    show();
    document.documentElement.dataset.ready = "true";
  };
  begin();
})();
