"use strict";
// Sounds, the map and the naming of clips. All texts from the data are set as textContent.
(() => {
  const byId = (id) => document.getElementById(id);
  const page = JSON.parse(byId("data").textContent);
  const audible = new Set(page.embedded);
  const shownName = (clip) => page.shown[clip] ?? page.names[clip];
  const say = (text) => { byId("live").textContent = text; };

  function element(tag, text = "", properties = {}) {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(properties)) {
      if (name in made) made[name] = value; else made.setAttribute(name, value);
    }
    return made;
  }

  // --- Sounds: one store of text, read at the first use, and an address made for each clip heard.

  let store = null;
  const addresses = new Map();

  function canPlay(clip) { return audible.has(clip) || clip in page.linked; }

  function address(clip) {
    if (clip in page.linked) return page.linked[clip];
    if (!audible.has(clip)) return "";
    if (!addresses.has(clip)) {
      store ??= JSON.parse(byId("sounds").textContent);
      const bytes = Uint8Array.from(atob(store[clip]), (letter) => letter.charCodeAt(0));
      addresses.set(clip, URL.createObjectURL(new Blob([bytes], { type: page.type })));
    }
    return addresses.get(clip);
  }

  const players = [...document.querySelectorAll("audio[data-clip]")];
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      if (target.src) continue;
      target.preload = "auto"; // the sound is in the page already: its length can be shown
      target.src = address(Number(target.dataset.clip));
    }
  }, { rootMargin: "300px" });
  players.forEach((player) => near.observe(player));

  document.addEventListener("play", ({ target }) => {
    for (const other of document.querySelectorAll("audio")) if (other !== target) other.pause();
  }, true);

  const bar = byId("player");
  const barAudio = byId("player-audio");

  function play(clip) {
    byId("player-name").textContent = shownName(clip);
    byId("player-label").textContent = canPlay(clip) ? describe(clip) : "cannot be heard here";
    bar.hidden = false;
    barAudio.hidden = !canPlay(clip);
    barAudio.pause();
    if (!canPlay(clip)) return;
    barAudio.src = address(clip);
    barAudio.dataset.playing = clip;
    // A sound that the browser cannot play says so here; another that was begun ends this one.
    barAudio.play().catch((error) => {
      if (error.name !== "AbortError") byId("player-label").textContent = "cannot be played";
    });
  }

  for (const button of document.querySelectorAll("button.near, button.hear")) {
    button.addEventListener("click", () => play(Number(button.dataset.clip)));
  }

  byId("player-close").addEventListener("click", () => { barAudio.pause(); bar.hidden = true; });

  // --- What is known of a clip.

  const naming = byId("naming") !== null;
  const classes = [...page.classes];
  const shownClasses = [...page.shownClasses];
  const names = new Map(); // what the reader named, by clip
  const percent = (share) => (share === null ? "" : ` ${Math.round(100 * share)}\u00a0%`);

  // Colours and shapes go by the place of a class among the sorted names, as in the page itself.
  let colours = [];
  function sortColours() {
    const order = new Map([...classes].sort().map((name, place) => [name, place]));
    colours = classes.map((name) => order.get(name));
  }
  sortColours();

  function drawAs(label) {
    return label < 0 ? ["#open", "open"]
      : [`#s${colours[label] % page.nShapes}`, `c${colours[label] % page.nColours}`];
  }

  function labelOf(clip) {
    return names.has(clip) ? classes.indexOf(names.get(clip)) : page.target[clip];
  }

  function describe(clip) {
    const label = labelOf(clip);
    const parts = [label < 0 ? "no label" : shownClasses[label]];
    if (names.has(clip)) parts[0] += " (named here)";
    const guess = page.predicted[clip] ?? (names.has(clip) ? undefined : page.suggested[clip]);
    if (guess && guess[0] !== label) {
      const how = clip in page.predicted ? "taken for" : "perhaps";
      parts.push(`${how} ${shownClasses[guess[0]]}${percent(guess[1])}`);
    }
    return parts.join(", ");
  }

  // --- The map.

  const plot = byId("plot");
  const points = plot ? [...plot.querySelectorAll(".point")].map((drawn) => ({
    drawn,
    clip: Number(drawn.dataset.clip),
    x: Number(drawn.getAttribute("x")),
    y: Number(drawn.getAttribute("y")),
  })) : [];
  const pointOf = new Map(points.map((point) => [point.clip, point]));
  const selected = new Set();
  let current = null;

  function paint(point) {
    const label = labelOf(point.clip);
    const [shape, kind] = drawAs(label);
    point.drawn.setAttribute("href", shape);
    const pressed = document.querySelector("#legend [aria-pressed='true']");
    const marks = [
      names.has(point.clip) && "named",
      selected.has(point.clip) && "selected",
      pressed && Number(pressed.dataset.label) !== label && "dim",
    ].filter(Boolean);
    point.drawn.setAttribute("class", ["point", kind, ...marks].join(" "));
  }

  function paintLegend() {
    for (const button of document.querySelectorAll("#legend button")) {
      const [shape, kind] = drawAs(Number(button.dataset.label));
      const use = button.querySelector("use");
      use.setAttribute("href", shape);
      use.setAttribute("class", kind);
    }
  }

  function pressLegend(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const was = button.getAttribute("aria-pressed") === "true";
    for (const other of byId("legend").querySelectorAll("button")) {
      other.setAttribute("aria-pressed", "false");
    }
    button.setAttribute("aria-pressed", String(!was));
    points.forEach(paint);
  }

  function goTo(point, { quiet = false } = {}) {
    current = point;
    const cursor = byId("cursor");
    cursor.removeAttribute("hidden");
    cursor.setAttribute("cx", point.x);
    cursor.setAttribute("cy", point.y);
    showTip(point);
    if (!quiet) {
      say(`${shownName(point.clip)}, ${describe(point.clip)}`
        + (selected.has(point.clip) ? ", selected" : ""));
    }
  }

  function showTip(point) {
    const tip = byId("tip");
    tip.textContent = `${shownName(point.clip)}\n${describe(point.clip)}`;
    tip.hidden = false;
    const scale = plot.clientWidth / plot.viewBox.baseVal.width;
    const left = point.x * scale - (point.x > plot.viewBox.baseVal.width / 2
      ? tip.offsetWidth + 14 : -14);
    tip.style.left = `${Math.max(0, Math.min(left, plot.clientWidth - tip.offsetWidth))}px`;
    tip.style.top = `${Math.max(0, point.y * scale - tip.offsetHeight / 2)}px`;
  }

  function hideCursor() {
    byId("tip").hidden = true;
    byId("cursor").setAttribute("hidden", "");
  }

  // How far from a clip a press still means it: 24 pixels across at least, for a finger 44.
  function reach(event) {
    const pixels = event.pointerType === "touch" ? 22 : 12;
    return Math.max(16, pixels * plot.viewBox.baseVal.width / plot.clientWidth);
  }

  function placeOf(event) {
    const at = new DOMPoint(event.clientX, event.clientY);
    return at.matrixTransform(plot.getScreenCTM().inverse());
  }

  function nearest({ x, y }, within = Infinity) {
    let best = null;
    let least = within;
    for (const point of points) {
      const far = Math.hypot(point.x - x, point.y - y);
      if (far < least) { best = point; least = far; }
    }
    return best;
  }

  function neighbour(from, [dx, dy]) {
    let best = null;
    let least = Infinity;
    for (const point of points) {
      const along = (point.x - from.x) * dx + (point.y - from.y) * dy;
      const across = Math.abs((point.x - from.x) * dy - (point.y - from.y) * dx);
      const cost = along + 2 * across;
      if (along > 0 && cost < least) { best = point; least = cost; }
    }
    return best;
  }

  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  function onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const from = current ?? nearest({ x: 0, y: 0 });
    if (event.key in arrows) {
      if (event.shiftKey && current) select([current.clip]);
      const next = current ? neighbour(from, arrows[event.key]) : from;
      if (next) goTo(next);
      if (next && event.shiftKey) select([next.clip]);
    } else if (event.key === "Enter") {
      if (current) play(current.clip);
    } else if (event.key === " ") {
      if (current) select([current.clip], { toggle: true });
    } else if (event.key === "Escape") {
      select([], { only: true });
    } else {
      return;
    }
    event.preventDefault();
  }

  function watchPointer() {
    let begun = null;
    const lasso = byId("lasso");
    plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      begun = placeOf(event);
      if (naming && event.pointerType !== "touch") plot.setPointerCapture(event.pointerId);
    });
    plot.addEventListener("pointermove", (event) => {
      const at = placeOf(event);
      if (begun && naming && event.pointerType !== "touch"
          && Math.hypot(at.x - begun.x, at.y - begun.y) > 6) {
        lasso.removeAttribute("hidden");
        lasso.setAttribute("x", Math.min(at.x, begun.x));
        lasso.setAttribute("y", Math.min(at.y, begun.y));
        lasso.setAttribute("width", Math.abs(at.x - begun.x));
        lasso.setAttribute("height", Math.abs(at.y - begun.y));
        hideCursor();
        return;
      }
      const point = nearest(at, reach(event));
      if (point) goTo(point, { quiet: true }); else hideCursor();
    });
    plot.addEventListener("pointerup", (event) => {
      if (!begun) return;
      const at = placeOf(event);
      if (!lasso.hasAttribute("hidden")) {
        const inside = points.filter(({ x, y }) =>
          x >= Math.min(at.x, begun.x) && x <= Math.max(at.x, begun.x)
          && y >= Math.min(at.y, begun.y) && y <= Math.max(at.y, begun.y));
        select(inside.map(({ clip }) => clip).filter((clip) => labelOf(clip) < 0),
          { only: !event.shiftKey });
        lasso.setAttribute("hidden", "");
      } else {
        const point = nearest(at, reach(event));
        if (point) {
          goTo(point);
          if (naming && (event.ctrlKey || event.metaKey || event.shiftKey)) {
            select([point.clip], { toggle: true });
          } else {
            play(point.clip);
          }
        }
      }
      begun = null;
    });
    plot.addEventListener("pointercancel", () => { begun = null; lasso.setAttribute("hidden", ""); });
    plot.addEventListener("pointerleave", () => { if (!begun) hideCursor(); });
  }

  // --- Selection: of clips that have no label in the data.

  function select(clips, { only = false, toggle = false } = {}) {
    if (!naming) return;
    const before = [...selected];
    if (only) selected.clear();
    for (const clip of clips) {
      if (page.target[clip] >= 0) continue;
      if (toggle && selected.has(clip)) selected.delete(clip); else selected.add(clip);
    }
    for (const clip of new Set([...before, ...selected])) paint(pointOf.get(clip));
    byId("selected").hidden = selected.size === 0;
    byId("selected-count").textContent = clipsCount(selected.size);
    const nNamed = [...selected].filter((clip) => names.has(clip)).length;
    byId("replaced").hidden = nNamed === 0;
    byId("replaced").textContent = nNamed === 1
      ? "1 of them has a name, which would be replaced."
      : `${nNamed} of them have a name, which would be replaced.`;
    const listed = [...selected].slice(0, 60).map((clip) => {
      const item = element("li");
      const button = element("button", `▶ ${shownName(clip)}`, { type: "button", className: "chip" });
      button.addEventListener("click", () => play(clip));
      item.append(button);
      return item;
    });
    byId("selected-list").replaceChildren(...listed);
    say(`${clipsCount(selected.size)} selected`);
  }

  const clipsCount = (n) => `${n} ${n === 1 ? "clip" : "clips"}`;

  // --- Names: kept in this tab until it is closed, and downloaded as a table.

  const key = `skaudeep-${page.id}`;
  const rowOf = new Map();
  const nOpen = page.target.filter((label) => label < 0).length;
  let downloaded = true;
  let nRows = 0;

  function setNames(pairs) { // of [clip, text]
    for (const [clip, text] of pairs) setName(clip, text.trim());
    showProgress();
    keep();
  }

  // Names many clips at once: says how many names it replaces, and can be undone.
  let before = [];
  let given = "";

  function nameAll(clips, text) {
    const name = text.trim();
    given = name;
    before = clips.map((clip) => [clip, names.get(clip) ?? ""]);
    const nReplaced = before.filter(([, old]) => old && old !== name).length;
    setNames(clips.map((clip) => [clip, name]));
    const replaced = nReplaced ? `, ${nReplaced} of which had another name` : "";
    tellNamed(`${clipsCount(clips.length)} named ${name}${replaced}.`);
  }

  function tellNamed(text) {
    byId("named-text").textContent = text;
    byId("named").hidden = false;
    say(text);
  }

  function undo() {
    const same = before.filter(([clip]) => names.get(clip) === given); // not what came after
    const n = same.length;
    setNames(same);
    byId("named").hidden = true;
    plot.focus();
    say(`Undone: ${clipsCount(n)} ${n === 1 ? "is" : "are"} as before.`);
  }

  function setName(clip, name) {
    if (name === (names.get(clip) ?? "")) return;
    if (name) names.set(clip, name); else names.delete(clip);
    if (name && !classes.includes(name)) addClass(name);
    if (pointOf.has(clip)) paint(pointOf.get(clip));
    const row = rowOf.get(clip);
    if (row) {
      row.querySelector("input").value = name;
      showDone(row, name !== "");
    }
    downloaded = false;
  }

  function addClass(name) {
    classes.push(name);
    shownClasses.push(name);
    byId("classes").append(element("option", "", { value: name }));
    sortColours();
    if (!plot) return;
    const label = classes.length - 1;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "symbol");
    svg.setAttribute("viewBox", "-8 -8 16 16");
    svg.setAttribute("aria-hidden", "true");
    svg.append(document.createElementNS("http://www.w3.org/2000/svg", "use"));
    const button = element("button", "", { type: "button", title: name, "aria-pressed": "false" });
    button.dataset.label = label;
    button.append(svg, element("bdi", name, { className: "cut" }),
      element("span", "", { className: "n" }));
    const item = element("li");
    item.append(button);
    byId("legend").append(item);
    paintLegend();
    points.forEach(paint);
  }

  function showProgress() {
    byId("progress").textContent = `${names.size} of ${nOpen} named`;
    byId("download").disabled = names.size === 0;
    const counts = new Map();
    page.names.forEach((_, clip) => counts.set(labelOf(clip), (counts.get(labelOf(clip)) ?? 0) + 1));
    for (const button of document.querySelectorAll("#legend button")) {
      button.querySelector(".n").textContent = counts.get(Number(button.dataset.label)) ?? 0;
    }
  }

  function keep() {
    try {
      sessionStorage.setItem(key, JSON.stringify([...names].map(([clip, name]) =>
        [page.names[clip], name])));
    } catch { /* A browser may forbid it; names are then lost when the page is left. */ }
  }

  function restore() {
    let kept = [];
    try { kept = JSON.parse(sessionStorage.getItem(key)) ?? []; } catch { return; }
    const clipOf = new Map(page.names.map((name, clip) => [name, clip]));
    setNames(kept.map(([file, name]) => [clipOf.get(file), String(name)])
      .filter(([clip]) => page.target[clip] < 0));
  }

  function cell(text) {
    return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function save(text, file) {
    const link = element("a", "", { download: file });
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  // The clips named wrongly, with the columns of their table on the page.
  function wrongTable() {
    const columns = [...byId("all-wrong").querySelectorAll("thead th")].map((head) => head.textContent);
    const rows = page.wrong.map(([clip, group, named]) => {
      const sure = page.predicted[clip][1];
      return [page.names[clip], ...(columns.includes("Group") ? [group] : []),
        page.classes[page.target[clip]], named, ...(sure === null ? [] : [String(sure)])];
    });
    return `${[columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
  }

  function table() {
    // All that is known, so that the table alone is enough the next time.
    const known = page.names.map((file, clip) => [file, classes[labelOf(clip)]]);
    const rows = [...known, ...page.unreadable].filter(([, name]) => name !== undefined)
      .map(([file, name]) => `${cell(file)},${cell(name)}`);
    return `${["filename,label", ...rows].join("\r\n")}\r\n`;
  }

  function download() {
    save(table(), "labels.csv");
    downloaded = true;
    say(`${clipsCount(names.size)} named here, and all labels from before, are in labels.csv`);
  }

  function makeRow(clip, number) {
    const row = element("li");
    const listen = element("button", "▶", {
      type: "button", className: "play", disabled: !canPlay(clip),
      "aria-label": `Play ${shownName(clip)}`,
    });
    listen.addEventListener("click", () => play(clip));
    const input = element("input", "", {
      value: names.get(clip) ?? "", autocomplete: "off", placeholder: "name of its class",
      "aria-label": `Name of ${shownName(clip)}`,
    });
    input.setAttribute("list", "classes");
    input.addEventListener("change", () => setNames([[clip, input.value]]));
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      setNames([[clip, input.value]]);
      if (!row.nextElementSibling) showRows();
      const next = row.nextElementSibling?.querySelector("input");
      if (!next) return;
      next.focus();
      play(Number(next.dataset.clip));
    });
    input.dataset.clip = clip;
    const guess = page.suggested[clip];
    const suggestion = guess
      ? element("button", `${shownClasses[guess[0]]}${percent(guess[1])}`, {
        type: "button", className: "chip", title: "Press to take this name",
        "aria-label": `Name ${shownName(clip)} ${shownClasses[guess[0]]}, as suggested`,
      }) : element("span");
    if (guess) suggestion.addEventListener("click", () => setNames([[clip, classes[guess[0]]]]));
    row.append(element("span", `${number}`, { className: "n" }), listen,
      element("bdi", shownName(clip), { className: "clamp", title: shownName(clip) }), suggestion, input);
    showDone(row, names.has(clip));
    rowOf.set(clip, row);
    return row;
  }

  // A suggestion never replaces a name: whoever wants it clears the name first.
  function showDone(row, done) {
    row.classList.toggle("done", done);
    const suggestion = row.querySelector(".chip");
    if (suggestion) suggestion.disabled = done;
  }

  function showRows() {
    const more = page.order.slice(nRows, nRows + 50);
    byId("rows").append(...more.map((clip, i) => makeRow(clip, nRows + i + 1)));
    nRows += more.length;
    byId("more").hidden = nRows >= page.order.length;
  }

  if (plot) {
    plot.addEventListener("keydown", onKey);
    plot.addEventListener("focus", () => { if (current) goTo(current); });
    plot.addEventListener("blur", hideCursor);
    byId("legend").addEventListener("click", pressLegend);
    watchPointer();
  }
  byId("download-wrong")?.addEventListener("click", () => save(wrongTable(), "wrong.csv"));
  if (naming) {
    const used = new Set(page.target);
    byId("classes").append(...page.classes.filter((_, label) => used.has(label))
      .map((name) => element("option", "", { value: name })));
    showRows();
    restore();
    downloaded = names.size === 0;
    byId("more").addEventListener("click", showRows);
    byId("download").addEventListener("click", download);
    byId("selected")?.addEventListener("submit", (event) => {
      event.preventDefault();
      const name = byId("selected-name").value;
      if (!name.trim()) return;
      const clips = [...selected];
      select([], { only: true });
      byId("selected-name").value = "";
      plot.focus();
      nameAll(clips, name);
    });
    byId("undo")?.addEventListener("click", undo);
    byId("clear")?.addEventListener("click", () => { select([], { only: true }); plot.focus(); });
    window.addEventListener("beforeunload", (event) => { if (!downloaded) event.preventDefault(); });
  }
  // Tables that can be sorted: each head becomes a button. Rows keep their order among equals.
  const collator = new Intl.Collator(undefined, { numeric: true });
  function sortBy(table, place, head) {
    const down = head.getAttribute("aria-sort") === "ascending"
      || (head.classList.contains("num") && !head.hasAttribute("aria-sort"));
    const value = ({ cells }) => cells[place].dataset.value
      ?? cells[place].querySelector("bdi")?.textContent ?? cells[place].textContent;
    const number = head.classList.contains("num");
    const rows = [...table.tBodies[0].rows].sort((a, b) => (number
      ? value(a) - value(b) : collator.compare(value(a), value(b))) * (down ? -1 : 1));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    table.tBodies[0].append(...rows);
  }
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, place) => {
      const button = element("button", head.textContent, { type: "button" });
      button.addEventListener("click", () => sortBy(table, place, head));
      head.replaceChildren(button);
    });
  }

  window.addEventListener("beforeprint", () => {
    for (const more of document.querySelectorAll("details")) more.open = true;
  });
})();
