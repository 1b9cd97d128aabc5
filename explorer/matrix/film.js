// The film: a layer as it was after each epoch of its training, scrubbed or played. Every filter keeps its place in the
// picture, so that each can be followed. Measured and drawn here, as the threshold is (matrix.js); no dependency.

import { AS_TRAINED, cutBits, inGauge, layerNumbers, measureFilters, permutation, prepare } from "./measure.js";
import { layOut } from "./layout.js";
import { element, symbols } from "./page.js";
import { BOX_COLOUR, clusterRuns, paintClipped, paintFields } from "./paint.js";
import { CSS } from "./style.js";

const PLAY = "▶ Play";
const FILM_PACE = 700; // ms an epoch, played
const FILM_TILE = { least: 24, most: 96, gap: 2, tall: 560 }; // CSS pixels: a matrix of the gallery, and about its height
const FILM_FRAME = 0xff463e3a; // between the matrices: neither white nor black
const FILM_ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const FILM_CSS = `
.fs-film { gap: 14px; }
.fs-film .fs-control { grid-template-columns: 92px minmax(0, 1fr) 108px; }
.fs-film .fs-control button { font: inherit; padding: 4px 0; border-radius: 6px; cursor: pointer; color: var(--ink);
  background: none; border: 1px solid var(--line); }
.fs-film .fs-control button:is(:hover, :focus-visible) { border-color: var(--accent); }
.fs-film .fs-ticks { height: 18px; }
.fs-film .fs-told { display: flex; flex-wrap: wrap; gap: 2px 22px; color: var(--soft); }
.fs-film .fs-told b { color: var(--ink); font-weight: 600; }
.fs-film .fs-gallery canvas { cursor: pointer; outline: none; }
.fs-film .fs-gallery small { display: block; margin-top: 4px; }
@media print { .fs-film .fs-control button { display: none; } }
`;

/** Draw a film into `root` (an element or a shadow root).
 *  state: { epochs: in order, layers: the layer after each, epoch: that is shown first, filter, threshold, order (labels, or
 *  null: as stored), average, gauge, figure and gallery: which of the two are drawn }.
 *  callbacks: onEpoch(epoch) when the scrubber is let go of or the film ends, onFilter(filter) when a matrix of the gallery
 *  is chosen, onFrame(ms) for benchmarks. Returns { update(state), destroy(), callbacks }. */
export function createFilmView(root, state, callbacks = {}) {
  const dom = buildFilm();
  root.append(dom.style, dom.page);
  const panels = dom.panels.map((canvas) => ({ canvas, context: canvas.getContext("2d") }));
  let films = []; // the layers in the gauge that is shown
  let order;
  let at = 0; // which epoch
  let told; // the epoch that the page has been told of
  let geometry; // of Figure 1: layOut's
  let tiles; // of the gallery
  let measured = []; // by epoch, at this threshold: { result, cuts, places, pixels: of the gallery }
  let timer = 0; // while it plays
  let ahead; // what works ahead: another one where the threshold or the layer is another
  let frameRequest = 0;
  let label = ""; // the words beside the gallery

  function update(next) {
    const before = films.length ? state : {};
    const changed = (name) => before[name] !== next[name];
    const isOther = ["layers", "gauge", "threshold", "order"].some(changed);
    state = next;
    films = next.layers.map((layer) => inGauge(layer, next.gauge ?? AS_TRAINED));
    order = next.order ?? Int32Array.from({ length: films[0].labels }, (_, k) => k);
    if (isOther) measured = [];
    if (changed("layers")) buildScale();
    if (changed("epoch") || changed("layers")) show(Math.max(0, next.epochs.indexOf(next.epoch)), true);
    dom.showTheme();
    dom.figures.hidden = !next.figure;
    dom.gallerySection.hidden = !next.gallery;
    resize();
    if (isOther || changed("gallery")) startAhead();
    schedule();
  }

  function buildScale() {
    dom.slider.max = String(state.epochs.length - 1);
    const spans = state.epochs.map((epoch, k) => {
      const left = (100 * k) / Math.max(1, state.epochs.length - 1);
      return element("span", { style: `left:${left}%` }, String(epoch));
    });
    dom.scale.replaceChildren(...spans);
  }

  /** What every epoch will need, in pieces of some milliseconds, so that a scrub finds it there: fields from their factors,
   *  the epoch that is shown first, then clusters, then the pictures of the gallery. */
  function workAhead(task) {
    if (task !== ahead || !dom.page.isConnected) return;
    const epochs = [at, ...films.keys()];
    const until = performance.now() + 8;
    const waiting = epochs.map((k) => films[k]).filter((layer) => layer.nPrepared < layer.held);
    for (const layer of waiting) {
      for (let f = 0; f < layer.held && performance.now() < until; f++) prepare(layer, f);
    }
    if (!waiting.length) {
      const unmeasured = epochs.find((k) => !measured[k]);
      const unpainted = state.gallery ? epochs.find((k) => !measured[k]?.pixels) : undefined;
      if (unmeasured !== undefined) measure(unmeasured);
      else if (unpainted !== undefined) paintGallery(films[unpainted], measured[unpainted]);
      else {
        dom.page.toggleAttribute("data-whole", true); // for benchmarks
        return;
      }
    }
    setTimeout(() => workAhead(task));
  }

  function startAhead() {
    dom.page.toggleAttribute("data-whole", false);
    ahead = {};
    workAhead(ahead);
  }

  const schedule = () => (frameRequest ||= requestAnimationFrame(frame));

  function frame() {
    frameRequest = 0;
    const started = performance.now();
    const layer = films[at];
    const found = measure(at);
    if (state.figure) drawFigure(layer, found);
    if (state.gallery) drawGallery(layer, found);
    const [clusters, size, noise] = found.numbers[state.average ?? "clustered"];
    const number = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : "–");
    dom.tell(state.epochs[at], number(noise, 1), number(clusters, 2), number(size, 2), label);
    dom.slider.style.setProperty("--filled", at / Math.max(1, state.epochs.length - 1));
    callbacks.onFrame?.(performance.now() - started);
  }

  /** The layer after an epoch at the present threshold, once. */
  function measure(k) {
    if (measured[k]) return measured[k];
    const layer = films[k];
    for (let f = 0; f < layer.held; f++) prepare(layer, f);
    const result = measureFilters(layer, 0, layer.held, state.threshold, order);
    const places = new Int32Array(layer.held * layer.labels);
    const cuts = new Int32Array(layer.held);
    for (let f = 0; f < layer.held; f++) {
      const labels = permutation(clustersOf(result, f, layer.labels));
      for (let p = 0; p < labels.length; p++) places[f * layer.labels + labels[p]] = p;
      cuts[f] = result.silent[f] ? 0x7fffffff : cutBits(state.threshold, result.maximum[f]);
    }
    return (measured[k] = { result, cuts, places, numbers: layerNumbers(result), pixels: null });
  }

  const clustersOf = (result, f, K) => result.cluster_of.subarray(f * K, (f + 1) * K);

  /** Of one filter what the painters of paint.js ask for. */
  function ofFilter({ result, cuts, places }, f, K) {
    return { cut: cuts[f], place: places.subarray(f * K, (f + 1) * K), result: { cluster_of: clustersOf(result, f, K) } };
  }

  function drawFigure(layer, found) {
    const f = state.filter;
    const filter = ofFilter(found, f, layer.labels);
    paintFields(layer, f, geometry, panels[0].pixels);
    paintClipped(layer, f, filter, geometry, panels[1].pixels, panels[2].pixels);
    const { size, pool, side, thin, margin } = geometry;
    for (const { canvas, context, image, data } of panels) {
      image.getContext("2d").putImageData(data, 0, 0);
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
      context.translate(margin, margin);
      context.imageSmoothingEnabled = false;
      context.drawImage(image, 0, 0, side * size, side * size);
    }
    const context = panels[2].context;
    const labels = new Int32Array(layer.labels);
    filter.place.forEach((position, k) => (labels[position] = k));
    const boxes = clusterRuns(labels, filter.result.cluster_of);
    context.lineWidth = thin;
    context.strokeStyle = BOX_COLOUR;
    for (const [from, length] of boxes) {
      const edge = Math.floor(from / pool) * size - thin / 2;
      const around = Math.max(1, length / pool) * size + thin;
      context.strokeRect(edge, edge, around, around);
    }
    const above = found.result.n_above[f];
    dom.note(layer.unit, f, above, boxes.length, found.result.noise[f]);
  }

  /** Every filter's permuted matrix at its place; where no filter is, transparent. */
  function paintGallery(layer, found) {
    const { columns, rows, side, pool, pitch } = tiles;
    const wide = columns * pitch;
    const pixels = new Uint32Array(wide * rows * pitch);
    const [clipped, permuted] = [new Uint32Array(side * side), new Uint32Array(side * side)];
    for (let f = 0; f < layer.held; f++) {
      paintClipped(layer, f, ofFilter(found, f, layer.labels), { pool, side }, clipped, permuted);
      const start = Math.floor(f / columns) * pitch * wide + (f % columns) * pitch;
      for (let y = 0; y < pitch; y++) pixels.fill(FILM_FRAME, start + y * wide, start + y * wide + pitch);
      for (let y = 0; y < side; y++) pixels.set(permuted.subarray(y * side, (y + 1) * side), start + y * wide);
    }
    found.pixels = pixels;
  }

  function drawGallery(layer, found) {
    const { columns, side, pitch, size } = tiles;
    if (!found.pixels) paintGallery(layer, found);
    tiles.pixels.set(found.pixels);
    tiles.image.getContext("2d").putImageData(tiles.data, 0, 0);
    const context = dom.gallery.getContext("2d");
    context.clearRect(0, 0, dom.gallery.width, dom.gallery.height);
    context.imageSmoothingEnabled = false;
    context.drawImage(tiles.image, 0, 0, dom.gallery.width, dom.gallery.height);
    if (!state.figure) return;
    const [x, y] = [state.filter % columns, Math.floor(state.filter / columns)].map((k) => k * pitch * size);
    context.lineWidth = 2;
    context.strokeStyle = "#9dd2ff";
    context.strokeRect(x, y, side * size, side * size);
  }

  function resize() {
    const available = dom.page.clientWidth || 900;
    // A scroll bar that goes because the pictures shrank must not let them grow, and so come back, for ever.
    const width = available > geometry?.width && available < geometry.width + 24 ? geometry.width : available;
    const density = window.devicePixelRatio || 1;
    if (geometry?.width === width && geometry.density === density && geometry.labels === films[0].labels && tiles.held === films[0].held) return;
    geometry = layOut(width, films[0].labels, density);
    dom.page.style.setProperty("--panel", `${geometry.panel}px`);
    dom.page.style.setProperty("--gap", `${geometry.gap}px`);
    for (const drawn of panels) {
      drawn.data = new ImageData(geometry.side, geometry.side);
      drawn.pixels = new Uint32Array(drawn.data.data.buffer);
      drawn.image = new OffscreenCanvas(geometry.side, geometry.side);
      drawn.canvas.width = drawn.canvas.height = geometry.extent;
      drawn.canvas.style.width = drawn.canvas.style.height = `${geometry.panel}px`;
    }
    tiles = galleryLayout(width - 5, films[0].held, films[0].labels, density);
    for (const found of measured) if (found) found.pixels = null;
    if (ahead) startAhead(); // in another size
    tiles.data = new ImageData(tiles.columns * tiles.pitch, tiles.rows * tiles.pitch);
    tiles.pixels = new Uint32Array(tiles.data.data.buffer);
    tiles.image = new OffscreenCanvas(tiles.data.width, tiles.data.height);
    dom.gallery.width = tiles.data.width * tiles.size;
    dom.gallery.height = tiles.data.height * tiles.size;
    dom.gallery.style.width = `${dom.gallery.width / density}px`;
    dom.gallery.style.height = `${dom.gallery.height / density}px`;
  }

  /** Another epoch; isTold: the page knows of it. */
  function show(k, isTold = false) {
    at = Math.min(state.epochs.length - 1, Math.max(0, k));
    if (Number(dom.slider.value) !== at) dom.slider.value = String(at);
    if (isTold) told = state.epochs[at];
    schedule();
  }

  function tellPage() {
    if (told === state.epochs[at]) return;
    told = state.epochs[at];
    callbacks.onEpoch?.(told);
  }

  function pause() {
    clearInterval(timer);
    timer = 0;
    dom.play.textContent = PLAY;
    tellPage();
  }

  function play() {
    if (timer) return pause();
    if (at === state.epochs.length - 1) show(0);
    dom.play.textContent = "❚❚ Pause";
    timer = setInterval(() => {
      show(at + 1);
      if (at === state.epochs.length - 1) pause();
    }, FILM_PACE);
    return undefined;
  }

  /** The filter under the pointer, or null. */
  function pointed(event) {
    const { columns, pitch, size, held } = tiles;
    const box = dom.gallery.getBoundingClientRect();
    const scale = dom.gallery.width / box.width / (pitch * size);
    const [x, y] = [event.clientX - box.left, event.clientY - box.top].map((offset) => Math.floor(offset * scale));
    const f = y * columns + x;
    return x >= 0 && x < columns && y >= 0 && f < held ? f : null;
  }

  function steer(event) {
    const step = FILM_ARROWS[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    choose(state.filter + step[0] * tiles.columns + step[1]);
  }

  function choose(f) {
    if (f === null || f < 0 || f >= films[at].held) return;
    callbacks.onFilter?.(f);
    if (!state.figure || callbacks.onFilter) return; // the page answers with another state
    state = { ...state, filter: f };
    schedule();
  }

  const undo = new AbortController();
  const on = (target, type, listener) => target.addEventListener(type, listener, { signal: undo.signal });
  on(dom.play, "click", play);
  on(dom.slider, "input", () => {
    clearInterval(timer);
    timer = 0;
    dom.play.textContent = PLAY;
    show(Number(dom.slider.value));
  });
  for (const end of ["change", "blur"]) on(dom.slider, end, tellPage);
  on(dom.gallery, "click", (event) => choose(pointed(event)));
  on(dom.gallery, "keydown", steer);
  on(dom.gallery, "pointermove", (event) => {
    const f = pointed(event);
    const found = f === null ? null : measure(at).result;
    label = f === null ? "" : `${films[at].unit} ${f}: ${found.n_clusters[f]} clusters, n ${found.noise[f]}`;
    schedule();
  });
  on(dom.gallery, "pointerleave", () => {
    label = "";
    schedule();
  });
  const observer = new ResizeObserver(() => {
    resize();
    schedule();
  });
  observer.observe(dom.page);
  update(state);

  return {
    callbacks,
    update,
    destroy() {
      undo.abort();
      observer.disconnect();
      clearInterval(timer);
      cancelAnimationFrame(frameRequest);
      dom.style.remove();
      dom.page.remove();
    },
  };
}

/** How many matrices in a row, and how large: whole device pixels a cell, `pool` labels a cell where there are too many. */
function galleryLayout(width, held, labels, density) {
  const { least, most, gap, tall } = FILM_TILE;
  const wanted = Math.min(most, Math.max(least, Math.sqrt((width * tall) / held)));
  const pool = Math.ceil(labels / Math.floor((wanted - gap) * density));
  const side = Math.ceil(labels / pool);
  const size = Math.max(1, Math.floor(((wanted - gap) * density) / side));
  const pitch = side + Math.max(1, Math.round((gap * density) / size));
  const columns = Math.max(1, Math.min(held, Math.floor((width * density) / (pitch * size))));
  return { columns, rows: Math.ceil(held / columns), side, pool, pitch, size, held };
}

function buildFilm() {
  const id = `fs-epoch-${Math.random().toString(36).slice(2)}`;
  const help = "After which epoch of the training. Arrow keys move it.";
  const slider = element("input", { id, type: "range", min: 0, max: 1, step: 1, "aria-label": "Epoch", "aria-description": help });
  const number = element("output", { for: id });
  const play = element("button", { type: "button" }, PLAY);
  const scale = element("div.fs-ticks", { "aria-hidden": "true" });
  const control = element("div.fs-control", {}, play, slider, number, scale);
  const titles = ["Fields", "Clipped", "Permuted"];
  const panels = titles.map((title) => element("canvas", { role: "img", "aria-label": `${title} at this epoch` }));
  const notes = titles.map(() => element("small"));
  const figures = element("div.fs-row", {}, ...titles.map((title, k) =>
    element("figure", {}, element("figcaption", {}, element("h4", {}, title), notes[k]), panels[k])));
  const about = "Every filter of the layer at this epoch, its clusters moved to the upper left. Click one, or use the arrow keys.";
  const gallery = element("canvas", { tabindex: 0, role: "img", "aria-label": about });
  const pointed = element("small", { role: "status" }, " ");
  const gallerySection = element("div.fs-gallery", {}, gallery, pointed);
  const values = ["n", "N_c", "C_s"].map((name) => [name, element("b", {}, "–")]);
  const told = element("div.fs-told", {}, ...values.map(([name, value]) => element("span", {}, ...symbols(`${name} `), value)));
  const page = element("div.fs.fs-film", {}, figures, control, told, gallerySection);
  const put = (place, text) => place.textContent !== text && (place.textContent = text);

  function showTheme() {
    const [red, green, blue] = getComputedStyle(page).backgroundColor.match(/[\d.]+/g).map(Number);
    page.dataset.theme = 0.3 * red + 0.6 * green + 0.1 * blue < 110 ? "dark" : "light";
  }

  function tell(epoch, noise, clusters, size, label) {
    put(number, `epoch ${epoch}`);
    slider.setAttribute("aria-valuetext", `epoch ${epoch}`);
    [noise, clusters, size].forEach((text, k) => put(values[k][1], text));
    put(pointed, label || " ");
  }

  function note(unit, f, above, clusters, noise) {
    put(notes[0], `${unit} ${f}`);
    put(notes[1], `${above} above`);
    put(notes[2], `${clusters} cluster${clusters === 1 ? "" : "s"}, n ${noise}`);
  }

  const style = element("style", {}, `${CSS}${FILM_CSS}.fs-film .fs-control output { font-size: 17px; }`);
  gallery.style.background = "none";
  return { style, page, slider, play, scale, panels, figures, gallery, gallerySection, showTheme, tell, note };
}
