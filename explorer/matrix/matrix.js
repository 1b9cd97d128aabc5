// The live matrix: draw one filter of a layer as the paper's Figure 1, while a threshold is dragged. No dependency, no
// Streamlit: an exported page uses it as it is. `script.py` joins these modules into one.

import { filterFigure, labelsFigure } from "./figure.js";
import { AS_TRAINED, cutBits, inGauge, layerNumbers, measureFilters, permutation, prepare } from "./measure.js";
import { buildCorner, cornerLabels, paintCorner } from "./corner.js";
import { layOut } from "./layout.js";
import { buildPage, CHART, isUnsure } from "./page.js";
import { BOX_COLOUR, clusterRuns, crosshair, paintClipped, paintFields } from "./paint.js";
import { saveButtons } from "./save.js";
import { buildStrip } from "./strip.js";

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }; // down, right

/** Draw a layer's filter into `root` (an element or a shadow root).
 *  state: { layer, filter, threshold, order (labels, or null: as stored), average ("clustered" or "all"), measure (the
 *  numbers of a layer too large to be measured here, or null), released (the release that this answers, or null), gauge
 *  ("as trained", which is the default, or "zero-sum"), sample (null, or { threshold, clusters: [labels joined by commas,
 *  share of the resamples in which they form a cluster] }: unsure clusters are dashed), strip (null, or { rankings: for
 *  each of two the images that drive the filter, { source, input, label, value, box } }), pointer ([input label, output
 *  label] to put the crosshair on, or null for none; left out, it is where the person points) }.
 *  callbacks: onRelease(threshold), onPoint([input label, output label] or null), and onFrame(times in ms) for benchmarks.
 *  A page that keeps no threshold of its own need not call update. Returns { update(state), destroy(), callbacks }. */
export function createMatrixView(root, state, callbacks = {}) {
  const dom = buildPage();
  const corner = buildCorner();
  dom.clusterSection.before(corner.section);
  const strip = buildStrip();
  dom.figures.after(strip.section);
  root.append(dom.style, dom.page);
  const panels = dom.panels.map((canvas) => ({ canvas, context: canvas.getContext("2d") }));
  let layer;
  let order;
  let threshold = state.threshold;
  let rise = null; // [n before, n now] where the last step up of the threshold raised the noise
  let filter; // measured: { result, cut, silent, labels: the permutation, place: its inverse, boxes: [start, length] }
  let geometry; // layOut's
  let cell = null; // [input label, output label] that the crosshair is on
  let toldCell = null; // the last that onPoint was told
  let label = null; // that the chart reads out
  let released = threshold;
  let awaited = null; // the last release, until the page has answered it
  let inHand = false; // the slider, under a pointer or a key: the page does not move it then
  let frameRequest = 0;
  let stale = { measure: true, fields: true };

  const index = () => state.filter - layer.first;

  function update(next) {
    const before = state;
    const changed = (name) => before[name] !== next[name] || layer === undefined;
    stale.fields ||= changed("layer") || changed("filter") || changed("gauge");
    if (changed("layer")) cell = null;
    if (next.pointer !== undefined && changed("pointer")) cell = toldCell = next.pointer;
    state = next;
    layer = inGauge(next.layer, next.gauge ?? AS_TRAINED);
    order = next.order ?? Int32Array.from({ length: layer.labels }, (_, label) => label);
    // The page owns the threshold; but what it said before it heard of the last release comes too late.
    const isHeard = awaited && [next.threshold, next.released].includes(awaited.threshold);
    const isAnswer = !awaited || isHeard || Date.now() > awaited.until;
    if (isAnswer && !inHand && (awaited || changed("threshold"))) {
      threshold = released = next.threshold;
      awaited = null;
    }
    dom.showTheme();
    dom.page.toggleAttribute("data-brief", Boolean(state.brief));
    resize();
    prepare(layer, index());
    prepareRest(layer);
    refresh();
  }

  /** Fields of a whole layer from their factors, a few milliseconds at a time, so that a drag is never held up. */
  function prepareRest(of) {
    if (!of.live || of.nPrepared === of.held) return;
    const until = performance.now() + 8;
    for (let f = 0; f < of.held && performance.now() < until; f++) prepare(of, f);
    setTimeout(() => {
      if (layer !== of || !dom.page.isConnected) return;
      prepareRest(of);
      if (of.nPrepared === of.held) refresh();
    });
  }

  function refresh() {
    stale.measure = true;
    schedule();
  }

  function schedule() {
    frameRequest ||= requestAnimationFrame(frame);
  }

  function frame() {
    frameRequest = 0;
    const started = performance.now();
    if (stale.fields) {
      paintFields(layer, index(), geometry, panels[0].pixels);
      commit(panels[0]);
    }
    if (stale.measure) {
      measureFilter();
      paintClipped(layer, index(), filter, geometry, panels[1].pixels, panels[2].pixels);
      commit(panels[1]);
      commit(panels[2]);
      dom.showThreshold(threshold);
      dom.showFilter(state.filter, filter, layer);
      paintCorner(corner, layer, index(), filter, geometry, getComputedStyle(dom.page));
    }
    panels.forEach(drawPanel);
    dom.showCell(cell, filter, layer, index());
    strip.draw(state.strip ?? null, layer.names);
    strip.point(cell, layer.names);
    const between = performance.now();
    if (stale.measure) {
      const live = layer.live && layer.nPrepared === layer.held;
      const atRest = !layer.live && threshold === state.threshold ? state.measure : null;
      const numbers = live ? layerNumbers(measureFilters(layer, 0, layer.held, threshold, order)) : atRest;
      dom.showLayer(numbers, state.average, layer, state.peak);
    }
    stale = { measure: false, fields: false };
    if (String(cell) !== String(toldCell)) callbacks.onPoint?.((toldCell = cell));
    callbacks.onFrame?.({ filter: between - started, layer: performance.now() - between });
  }

  function measureFilter() {
    const result = measureFilters(layer, index(), index() + 1, threshold, order);
    const labels = permutation(result.cluster_of);
    const place = new Int32Array(labels.length);
    labels.forEach((label, position) => (place[label] = position));
    const silent = result.silent[0] === 1;
    const cut = silent ? 0x7fffffff : cutBits(threshold, result.maximum[0]);
    const boxes = clusterRuns(labels, result.cluster_of);
    const of = `${layer.layer} ${state.filter}`;
    if (filter?.of !== of || threshold < filter.result.threshold) rise = null;
    else if (threshold > filter.result.threshold) {
      const [before, now] = [filter.result.noise[0], result.noise[0]];
      rise = now > before ? [before, now] : null;
    }
    filter = { result, cut, silent, labels, place, boxes, of, rise, shares: sharesOf(boxes, labels) };
  }

  /** For each box the share of resamples in which its very labels form a cluster; null where that is not known. */
  function sharesOf(boxes, labels) {
    const known = state.sample?.threshold === threshold ? new Map(state.sample.clusters) : new Map();
    return boxes.map(([from, length]) => known.get(labels.slice(from, from + length).sort().join()) ?? null);
  }

  function resize() {
    const found = dom.page.clientWidth || 900;
    // A scroll bar that goes because the panels shrank must not let them grow, and so come back, for ever.
    const width = found > geometry?.width && found < geometry.width + 24 ? geometry.width : found;
    const next = layOut(width, layer.labels, window.devicePixelRatio || 1);
    if (geometry && Object.keys(next).every((name) => next[name] === geometry[name])) return;
    geometry = next;
    const { side, extent, panel } = geometry;
    dom.page.style.setProperty("--panel", `${panel}px`);
    dom.page.style.setProperty("--gap", `${geometry.gap}px`);
    dom.page.dataset.list = geometry.hasRoom ? "beside" : "below";
    for (const drawn of panels) {
      drawn.data = new ImageData(side, side);
      drawn.pixels = new Uint32Array(drawn.data.data.buffer);
      drawn.image = new OffscreenCanvas(side, side);
      drawn.canvas.width = drawn.canvas.height = extent;
      drawn.canvas.style.width = drawn.canvas.style.height = `${panel}px`;
    }
    stale.fields = stale.measure = true;
  }

  function commit({ image, data }) {
    image.getContext("2d").putImageData(data, 0, 0);
  }

  function drawPanel({ canvas, context, image }, which) {
    const { size, pool, side, thin, margin } = geometry;
    const extent = side * size;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.translate(margin, margin);
    context.imageSmoothingEnabled = false;
    context.drawImage(image, 0, 0, extent, extent);
    context.lineWidth = thin;
    if (which === 2) {
      context.strokeStyle = BOX_COLOUR;
      filter.boxes.forEach(([from, length], k) => {
        context.setLineDash(isUnsure(filter.shares[k]) ? [4 * thin, 3 * thin] : []);
        const edge = Math.floor(from / pool) * size - thin / 2;
        const around = Math.max(1, length / pool) * size + thin;
        context.strokeRect(edge, edge, around, around);
      });
      const few = cornerLabels(filter, geometry, layer.labels); // what is drawn again, magnified
      context.setLineDash([3 * thin, 3 * thin]);
      if (few) context.strokeRect(-thin / 2, -thin / 2, (few / pool) * size + 4 * thin, (few / pool) * size + 4 * thin);
      context.setLineDash([]);
    }
    if (filter.silent && which > 0) {
      const density = window.devicePixelRatio || 1;
      context.fillStyle = "#b9bcc6";
      context.textAlign = "center";
      context.font = `${13 * density}px ${getComputedStyle(dom.page).fontFamily}`;
      context.fillText("silent: no finite field above 0", extent / 2, extent / 2);
    }
    if (!cell) return;
    const [y, x] = cell.map((label) => Math.floor(placeOf(which, label) / pool) * size);
    context.fillStyle = "rgba(125, 195, 255, 0.5)";
    for (const bar of crosshair(x, y, size, extent, thin)) context.fillRect(...bar);
    context.strokeStyle = "#9dd2ff";
    context.strokeRect(x - thin / 2, y - thin / 2, size + thin, size + thin);
  }

  // Which element a place on a panel shows, and back
  const labelAt = (which, position) => (which === 2 ? filter.labels[position] : position);
  const placeOf = (which, label) => (which === 2 ? filter.place[label] : label);

  function point(event, which) {
    const { size, pool, side, margin } = geometry;
    const box = panels[which].canvas.getBoundingClientRect();
    const density = panels[which].canvas.width / box.width;
    const at = (offset) => Math.min(side - 1, Math.max(0, Math.floor((offset * density - margin) / size))) * pool;
    cell = [event.clientY - box.top, event.clientX - box.left].map((offset) => labelAt(which, at(offset)));
    if (pool > 1) cell = strongestNear(which, cell);
    schedule();
  }

  /** Of the elements that share a pixel, the one with the largest field: the one that was drawn. */
  function strongestNear(which, [i, j]) {
    const K = layer.labels;
    const start = index() * K * K;
    const [row, column] = [placeOf(which, i), placeOf(which, j)];
    let best = [i, j];
    for (let r = row; r < Math.min(K, row + geometry.pool); r++) {
      for (let c = column; c < Math.min(K, column + geometry.pool); c++) {
        const candidate = [labelAt(which, r), labelAt(which, c)];
        const value = ([a, b]) => layer.fields[start + a * K + b];
        if (value(candidate) > value(best)) best = candidate;
      }
    }
    return best;
  }

  function steer(event, which) {
    const step = ARROWS[event.key];
    if (event.key === "Escape") cell = null;
    else if (step) {
      const far = event.shiftKey ? 10 : 1;
      const to = cell ? cell.map((label, axis) => placeOf(which, label) + far * step[axis]) : [0, 0];
      cell = to.map((position) => labelAt(which, Math.min(layer.labels - 1, Math.max(0, position))));
    } else return;
    event.preventDefault();
    schedule();
  }

  function pointLabel(event) {
    const { left, width } = dom.chart.getBoundingClientRect();
    const i = Math.floor(((event.clientX - left - CHART.left) / (width - CHART.left)) * layer.labels);
    label = i >= 0 && i < layer.labels ? i : null;
    dom.showLabel(label, layer);
  }

  function steerLabel(event) {
    const step = ARROWS[event.key]?.[1];
    if (!step) return;
    event.preventDefault();
    label = label === null ? 0 : Math.min(layer.labels - 1, Math.max(0, label + (event.shiftKey ? 10 : 1) * step));
    dom.showLabel(label, layer);
  }

  function setThreshold(value) {
    threshold = Math.min(1, Math.max(0, Math.round(value * 1000) / 1000));
    dom.slider.value = String(threshold);
    refresh();
  }

  function release() {
    inHand = false;
    if (threshold === released) return;
    released = threshold;
    awaited = { threshold, until: Date.now() + 5000 };
    callbacks.onRelease?.(threshold);
  }

  const figure = () => filterFigure(dom.page, { layer, at: index(), filter, name: state.filter });
  dom.readout.before(saveButtons("the figure", () => filter && figure()));
  const chart = () => labelsFigure(dom.page, dom.chart, { layer, threshold });
  dom.chart.after(saveButtons("the chart of the labels", () => filter && chart()));

  const undo = new AbortController();
  const on = (target, type, listener) => target.addEventListener(type, listener, { signal: undo.signal });
  panels.forEach(({ canvas }, which) => {
    on(canvas, "pointermove", (event) => point(event, which));
    on(canvas, "pointerdown", (event) => point(event, which));
    on(canvas, "keydown", (event) => steer(event, which));
    on(canvas, "pointerleave", () => {
      cell = null;
      schedule();
    });
  });
  on(dom.slider, "pointerdown", () => (inHand = true));
  // The pointer moves in hundredths; the keyboard too, and in thousandths with Shift.
  on(dom.slider, "input", () => {
    const value = Number(dom.slider.value);
    setThreshold(inHand ? Math.round(value * 100) / 100 : value);
  });
  for (const end of ["change", "pointerup", "pointercancel", "keyup", "blur"]) on(dom.slider, end, release);
  on(dom.slider, "keydown", (event) => {
    const step = event.shiftKey ? 0.001 : 0.01;
    const [down, right] = ARROWS[event.key] ?? [0, 0];
    const by = { PageUp: 0.1, PageDown: -0.1, Home: -1, End: 1 }[event.key] ?? step * (right - down);
    if (by === 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    inHand = true;
    setThreshold(threshold + by);
  });
  on(dom.chart, "pointermove", pointLabel);
  on(dom.chart, "keydown", steerLabel);
  on(dom.chart, "pointerleave", () => dom.showLabel((label = null), layer));
  const observer = new ResizeObserver(() => {
    resize();
    refresh();
  });
  observer.observe(dom.page);
  update(state);

  return {
    callbacks,
    update,
    destroy() {
      undo.abort();
      observer.disconnect();
      cancelAnimationFrame(frameRequest);
      dom.style.remove();
      dom.page.remove();
    },
  };
}
