// The live matrix: measure a layer of field matrices and draw one filter as the paper's Figure 1, while a threshold is
// dragged. One module, no dependency, no Streamlit: an exported page uses it as it is.
//
// The first half is the twin of store/measure.py and store/kernels.py: the same definitions in the same order of
// additions, so that both give the same bits (tests/test_matrix_js.py). The second half is the view. Label names come
// from a file that may be a stranger's: they reach the page through textContent alone.

const NO_CLUSTER = -1;

// ---- Bytes from explorer/matrix/pack.py -----------------------------------------------------------------------------

/** Length of a JSON header (uint32), the header, the body: -> [header, body]. */
export function unframe(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  return [header, bytes.subarray(4 + length)];
}

/** A layer as `LayerData.message` has it. Fields are taken from factors when they are first measured. */
export function unpackLayer(bytes) {
  const [header, body] = unframe(bytes);
  const floats = new Float32Array(new Uint8Array(body).buffer); // a copy: aligned, and free of the message it came in
  const { held, labels, positions } = header;
  const layer = newLayer(positions ? new Float32Array(held * labels * labels) : floats, labels);
  if (positions) {
    const half = held * labels * positions;
    layer.factors = { means: floats.subarray(0, half), weights: floats.subarray(half), positions };
  }
  return Object.assign(layer, header);
}

// ---- Measurement ----------------------------------------------------------------------------------------------------

/** fields: Float32Array of (filter, input label, output label). Call `prepare` for each filter before measuring it. */
export function newLayer(fields, nLabels) {
  const held = fields.length / nLabels ** 2;
  return {
    fields,
    bits: new Int32Array(fields.buffer, fields.byteOffset, fields.length), // non-negative floats order as these do
    labels: nLabels,
    held,
    factors: null,
    prepared: new Uint8Array(held),
    nPrepared: 0,
    maximum: new Float32Array(held),
    rowMaximum: new Int32Array(held * nLabels), // bit patterns: rows with nothing above the cut are passed over
  };
}

/** F[i, j] = sum over s of means[i, s] weights[j, s]: in order, in float64, rounded once. `at`: the filter's start. */
export function fieldMatrix(means, weights, at, nLabels, positions, out, outAt) {
  if (positions === 1) {
    for (let i = 0, k = outAt; i < nLabels; i++) {
      for (let j = 0; j < nLabels; j++, k++) out[k] = Math.fround(means[at + i] * weights[at + j]) + 0; // no -0
    }
    return;
  }
  const columns = new Float64Array(positions * nLabels); // (position, output label)
  for (let j = 0; j < nLabels; j++) {
    for (let s = 0; s < positions; s++) columns[s * nLabels + j] = weights[at + j * positions + s];
  }
  const row = new Float64Array(nLabels);
  for (let i = 0; i < nLabels; i++) {
    row.fill(0);
    for (let s = 0; s < positions; s++) {
      const mean = means[at + i * positions + s];
      for (let j = 0, c = s * nLabels; j < nLabels; j++, c++) row[j] += mean * columns[c];
    }
    for (let j = 0, k = outAt + i * nLabels; j < nLabels; j++, k++) out[k] = Math.fround(row[j]) + 0; // no -0
  }
}

/** Fill in what no threshold changes of filter f: its fields, where there are factors, and its maxima. */
export function prepare(layer, f) {
  if (layer.prepared[f]) return;
  const { fields, bits, labels: K, factors } = layer;
  const start = f * K * K;
  if (factors) {
    const { means, weights, positions } = factors;
    fieldMatrix(means, weights, f * K * positions, K, positions, fields, start);
  }
  let largest = fields[start];
  let isNumber = true;
  for (let i = 0, k = start; i < K; i++) {
    let patterns = 0;
    for (let j = 0; j < K; j++, k++) {
      const value = fields[k];
      if (value > largest) largest = value;
      else if (value !== value) isNumber = false;
      if (bits[k] > patterns) patterns = bits[k];
    }
    layer.rowMaximum[f * K + i] = patterns;
  }
  layer.maximum[f] = isNumber ? largest : NaN;
  layer.prepared[f] = 1;
  layer.nPrepared++;
}

export const isSilent = (maximum) => !(maximum > 0 && maximum < Infinity);

const scratch = new DataView(new ArrayBuffer(4));

/** The bit pattern of the largest float32 that is not above threshold x maximum, taken in float64. */
export function cutBits(threshold, maximum) {
  const exact = threshold * maximum + 0; // + 0: a threshold of -0 is 0
  scratch.setFloat32(0, exact);
  return scratch.getInt32(0) - (scratch.getFloat32(0) > exact ? 1 : 0);
}

/** The greedy scan, in the given order of labels; fills clusterOf and sizes from `at` on, returns the clusters' number.
 *  The matrix starts at `start` of bits; element (i, j) is 1 where bits > cut. */
export function findClusters(bits, start, nLabels, cut, order, clusterOf, sizes, at) {
  const waiting = new Int32Array(nLabels); // labels whose diagonal element is 1, in no cluster yet, in scan order
  let nWaiting = 0;
  for (let position = 0; position < nLabels; position++) {
    const label = order[position];
    clusterOf[at + label] = NO_CLUSTER;
    if (bits[start + label * nLabels + label] > cut) waiting[nWaiting++] = label;
  }
  const members = new Int32Array(nWaiting);
  let nClusters = 0;
  while (nWaiting > 0) {
    let nMembers = 0;
    let nLeft = 0;
    for (let position = 0; position < nWaiting; position++) {
      const label = waiting[position];
      let joins = true;
      for (let m = 0; m < nMembers; m++) {
        const member = members[m];
        if (bits[start + label * nLabels + member] <= cut || bits[start + member * nLabels + label] <= cut) {
          joins = false;
          break;
        }
      }
      if (joins) {
        members[nMembers++] = label;
        clusterOf[at + label] = nClusters;
      } else {
        waiting[nLeft++] = label;
      }
    }
    sizes[at + nClusters++] = nMembers;
    nWaiting = nLeft;
  }
  return nClusters;
}

/** The elements of a row that are above the cut, without a branch; `bits` may be negative, cut is not. */
function countAbove(bits, from, to, cut) {
  let count = 0;
  for (let k = from; k < to; k++) {
    const pattern = bits[k];
    count += (cut - (pattern & ~(pattern >> 31))) >>> 31;
  }
  return count;
}

/** Measure the filters first..last-1 of a layer, all prepared. With counts (test inputs a label) also the accumulated
 *  fields of Figure 2B. The names are those of `store.measure.LayerMeasure`. */
export function measureFilters(layer, first, last, threshold, order, counts = null) {
  const { fields, bits, labels: K, rowMaximum } = layer;
  const n = last - first;
  const result = {
    threshold,
    cluster_of: new Int32Array(n * K).fill(NO_CLUSTER),
    n_clusters: new Int32Array(n),
    noise: new Int32Array(n),
    n_above: new Int32Array(n),
    maximum: layer.maximum.slice(first, last),
    silent: new Uint8Array(n),
    sizes: new Int32Array(n * K), // of each filter's clusters, then zeros
    signal: new Float64Array(K),
    noise_internal: new Float64Array(K),
    noise_external: new Float64Array(K),
  };
  const { cluster_of: clusterOf, sizes, signal, noise_internal: internal, noise_external: external } = result;
  const sums = counts && [new Float64Array(K), new Float64Array(K), new Float64Array(K)];
  for (let f = 0; f < n; f++) {
    const maximum = result.maximum[f];
    if (isSilent(maximum)) {
      result.silent[f] = 1;
      continue;
    }
    const start = (first + f) * K * K;
    const at = f * K;
    const cut = cutBits(threshold, maximum);
    result.n_clusters[f] = findClusters(bits, start, K, cut, order, clusterOf, sizes, at);
    for (let i = 0; i < K; i++) {
      if (rowMaximum[(first + f) * K + i] <= cut) continue;
      const from = start + i * K;
      const row = countAbove(bits, from, from + K, cut);
      const cluster = clusterOf[at + i];
      const size = cluster === NO_CLUSTER ? 0 : sizes[at + cluster];
      if (size) {
        signal[i]++;
        internal[i] += size - 1;
      }
      external[i] += row - size;
      result.n_above[f] += row;
      result.noise[f] += row - size;
      if (sums) addFields(fields, bits, from, K, cut, clusterOf, at, i, cluster, sums);
    }
  }
  for (let i = 0; i < K; i++) {
    internal[i] /= K - 1;
    external[i] /= K - 1;
  }
  if (sums) {
    const [signalField, internalField, externalField] = sums;
    for (let i = 0; i < K; i++) {
      signalField[i] *= counts[i];
      internalField[i] = (internalField[i] * counts[i]) / (K - 1);
      externalField[i] = (externalField[i] * counts[i]) / (K - 1);
    }
    Object.assign(result, {
      signal_field: signalField,
      noise_internal_field: internalField,
      noise_external_field: externalField,
    });
  }
  return result;
}

// One row's sums first, then onto the sums over filters: this is the order of additions that the Python side has.
function addFields(fields, bits, from, nLabels, cut, clusterOf, at, i, cluster, [signal, internal, external]) {
  let inside = 0;
  let outside = 0;
  for (let j = 0; j < nLabels; j++) {
    if (bits[from + j] <= cut) continue;
    if (cluster === NO_CLUSTER || clusterOf[at + j] !== cluster) outside += fields[from + j];
    else if (j === i) signal[i] += fields[from + j];
    else inside += fields[from + j];
  }
  internal[i] += inside;
  external[i] += outside;
}

/** N_c, C_s and n over the filters with a cluster and over all, and what else is counted in a layer. */
export function layerNumbers(result) {
  let clusters = 0;
  let clustered = 0;
  let labels = 0;
  let noise = 0;
  let noiseClustered = 0;
  const n = result.n_clusters.length;
  for (let f = 0; f < n; f++) {
    clusters += result.n_clusters[f];
    noise += result.noise[f];
    if (result.n_clusters[f] === 0) continue;
    clustered++;
    noiseClustered += result.noise[f];
  }
  for (const size of result.sizes) labels += size;
  return {
    clustered: [clusters / clustered, labels / clusters, noiseClustered / clustered],
    all: [clusters / n, labels / clusters, noise / n],
    clusters,
    silent: result.silent.reduce((sum, silent) => sum + silent, 0),
    signal: result.signal,
    noise_internal: result.noise_internal,
    noise_external: result.noise_external,
  };
}

/** Labels of clusters first, larger clusters before smaller, in the order found; then the rest in label order. */
export function permutation(clusterOf) {
  const clusters = [];
  const rest = [];
  clusterOf.forEach((cluster, label) => {
    if (cluster === NO_CLUSTER) rest.push(label);
    else (clusters[cluster] ??= []).push(label);
  });
  clusters.sort((one, other) => other.length - one.length); // stable
  return Int32Array.from(clusters.flat().concat(rest));
}

// ---- The view -------------------------------------------------------------------------------------------------------

const NOISE = [255, 205, 44]; // the paper's: black and white, noise yellow, clusters in red boxes
const BOX = "#ff5d54";
const GROUND = [13, 14, 18];
const NOT_A_NUMBER = [214, 64, 200];
const LISTED = 60; // clusters listed by name
const GAP = { least: 6, most: 28 }; // between panels: a larger cell is worth a narrow one
const CHART = { left: 34, top: 8, bottom: 166, height: 170 }; // left: room for the numbers of its axis
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }; // down, right

const CSS = `
.fs { --ink: var(--st-text-color, CanvasText); --ground: var(--st-background-color, Canvas);
  --accent: var(--st-primary-color, #2f6fb7);
  --line: var(--st-border-color, color-mix(in srgb, var(--ink) 16%, transparent));
  --soft: color-mix(in srgb, var(--ink) 64%, transparent);
  --signal: #9bbbe0; --total: #e0a21b; --internal: #c4362b;
  color: var(--ink); background: var(--ground); font: 14px/1.45 var(--st-font, system-ui, sans-serif);
  font-variant-numeric: tabular-nums; display: grid; gap: 18px; min-width: 0; padding: 2px; }
.fs[data-theme=dark] { color-scheme: dark; --signal: #47698f; --total: #f0c03f; --internal: #ff7a6e; }
.fs * { box-sizing: border-box; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.fs :focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 2px; }
.fs h4 { font-weight: 600; font-size: 14px; line-height: 1.45; margin: 0; padding: 0; }
.fs small { color: var(--soft); font-size: 12px; }
.fs-control { display: grid; grid-template-columns: auto minmax(0, 1fr) 72px; gap: 2px 14px; align-items: center; }
.fs-control label { font-weight: 600; }
.fs-control input { width: 100%; height: 24px; margin: 0; accent-color: var(--accent); cursor: grab;
  touch-action: pan-y; }
.fs-control input:active { cursor: grabbing; }
.fs-control output { font-size: 25px; font-weight: 600; line-height: 1; text-align: right; }
.fs-ticks { grid-column: 2; position: relative; height: 30px; margin: 0 8px; color: var(--soft); font-size: 11px;
  line-height: 1.25; text-align: center; }
.fs-ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.fs-ticks span::before { content: ""; display: block; width: 1px; height: 4px; margin: auto; background: var(--soft); }
.fs-row { display: flex; flex-wrap: wrap; gap: 18px var(--gap, 28px); align-items: flex-start; }
.fs-row > section { flex: 1 1 230px; min-width: 0; }
.fs-row > .fs-list { flex: 1 1 100%; order: 2; }
.fs[data-list=beside] .fs-list { flex: 1 1 180px; order: 0; }
.fs-row > .fs-chart { flex: 3 1 380px; }
.fs figure { margin: 0; width: var(--panel); } .fs sub { line-height: 0; font-size: 0.8em; }
.fs figcaption { display: flex; align-items: baseline; gap: 12px; margin-bottom: 6px; }
.fs canvas { display: block; cursor: crosshair; background: rgb(${GROUND}); outline: 1px solid var(--line); }
.fs-key { display: flex; align-items: center; gap: 6px; min-height: 18px; color: var(--soft); font-size: 12px; }
.fs canvas + .fs-key { margin-top: 7px; }
.fs-key i { width: 10px; height: 10px; flex: none; }
.fs-key i:not(:first-child) { margin-left: 8px; }
.fs-ramp { position: relative; flex: 1; height: 9px; max-width: 150px; }
.fs-ramp::after { content: ""; position: absolute; left: var(--at); inset-block: -3px; width: 2px;
  margin-left: -1px; background: var(--ink); }
.fs-readout { flex: 1 1 100%; order: 1; min-height: 40px; padding: 9px 12px; border-radius: 6px;
  border: 1px solid var(--line); color: var(--soft); overflow-wrap: anywhere; }
.fs-readout strong { color: var(--ink); font-weight: 600; }
.fs dl { display: grid; grid-template-columns: 1fr auto; gap: 3px 12px; margin: 8px 0 0; max-width: 330px; }
.fs dt { color: var(--soft); font-weight: 400; } .fs dd { margin: 0; text-align: right; font-weight: 600; }
.fs-clusters { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: 3px 20px;
  align-content: start; height: 112px; overflow-y: auto; scrollbar-width: thin;
  margin: 6px 0 0; padding: 0; list-style: none; }
.fs[data-list=beside] .fs-clusters { height: var(--panel); }
.fs-clusters li { display: grid; grid-template-columns: 42px 1fr; margin: 0; overflow-wrap: anywhere; }
.fs em { color: var(--soft); font-style: normal; }
.fs-stale .fs-layer dl, .fs-stale svg { opacity: 0.4; }
.fs-head { display: flex; flex-wrap: wrap; gap: 2px 18px; align-items: baseline; }
.fs svg { display: block; width: 100%; height: 170px; margin-top: 8px; overflow: visible; }
.fs [hidden] { display: none; }
.fs svg text { fill: var(--soft); font-size: 11px; }
.fs-axis { stroke: var(--line); } .fs-mean { stroke: var(--ink); stroke-dasharray: 5 4; opacity: 0.75; }
.fs-mark { stroke: var(--ink); }
.fs-signal { stroke: var(--signal); } .fs-total { stroke: var(--total); } .fs-internal { stroke: var(--internal); }
@media print {
  .fs { --ink: #111 !important; --ground: #fff !important; --line: #bbb !important; }
  .fs-clusters { height: auto; overflow: visible; }
  .fs figure, .fs section { break-inside: avoid; } }
`;

/** Draw a layer's filter into `root` (an element or a shadow root).
 *  state: { layer, filter, threshold, order (labels, or null: as stored), average ("clustered" or "all"), measure (the
 *  numbers of a layer too large to be measured here, or null), released (the release that this answers, or null) }.
 *  callbacks: onRelease(threshold), and onFrame(times in ms) for benchmarks. A page that keeps no threshold of its own
 *  need not call update. Returns { update(state), destroy(), callbacks }. */
export function createMatrixView(root, state, callbacks = {}) {
  const dom = buildPage();
  root.append(dom.style, dom.page);
  const panels = dom.panels.map((canvas) => ({ canvas, context: canvas.getContext("2d") }));
  let layer;
  let order;
  let threshold = state.threshold;
  let filter; // measured: { result, cut, silent, labels: the permutation, place: its inverse, boxes: [start, length] }
  let geometry; // device pixels a cell (size), labels a cell (pool), cells a side, width of a line, margin
  let cell = null; // [input label, output label] that the crosshair is on
  let label = null; // that the chart reads out
  let released = threshold;
  let awaited = null; // the last release, until the page has answered it
  let dragging = false;
  let frameRequest = 0;
  let stale = { measure: true, fields: true };

  const index = () => state.filter - layer.first;

  function update(next) {
    const before = state;
    const changed = (name) => before[name] !== next[name] || layer === undefined;
    stale.fields ||= changed("layer") || changed("filter");
    if (changed("layer")) cell = null;
    state = next;
    layer = next.layer;
    order = next.order ?? Int32Array.from({ length: layer.labels }, (_, label) => label);
    // The page owns the threshold; but what it said before it heard of the last release comes too late.
    const isHeard = awaited && [next.threshold, next.released].includes(awaited.threshold);
    const isAnswer = !awaited || isHeard || Date.now() > awaited.until;
    if (isAnswer && !dragging && (awaited || changed("threshold"))) {
      threshold = released = next.threshold;
      awaited = null;
    }
    dom.showTheme();
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
    if (stale.fields) paintFields();
    if (stale.measure) {
      measureFilter();
      paintClipped();
      dom.showThreshold(threshold);
      dom.showFilter(state.filter, filter, layer);
    }
    panels.forEach(drawPanel);
    dom.showCell(cell, filter, layer, index());
    const between = performance.now();
    if (stale.measure) {
      const live = layer.live && layer.nPrepared === layer.held;
      const atRest = !layer.live && threshold === state.threshold ? state.measure : null;
      const numbers = live ? layerNumbers(measureFilters(layer, 0, layer.held, threshold, order)) : atRest;
      dom.showLayer(numbers, state.average, layer);
    }
    stale = { measure: false, fields: false };
    callbacks.onFrame?.({ filter: between - started, layer: performance.now() - between });
  }

  function measureFilter() {
    const result = measureFilters(layer, index(), index() + 1, threshold, order);
    const labels = permutation(result.cluster_of);
    const place = new Int32Array(labels.length);
    labels.forEach((label, position) => (place[label] = position));
    const silent = result.silent[0] === 1;
    const cut = silent ? 0x7fffffff : cutBits(threshold, result.maximum[0]);
    filter = { result, cut, silent, labels, place, boxes: clusterRuns(labels, result.cluster_of) };
  }

  /** Whole device pixels a label, so that all cells are equally large; with more labels than pixels, a pixel for
   *  `pool` labels, lit if one of their elements is: a lone element must not vanish. A margin holds the outer boxes. */
  function resize() {
    const found = dom.page.clientWidth || 900;
    // A scroll bar that goes because the panels shrank must not let them grow, and so come back, for ever.
    const width = found > geometry?.width && found < geometry.width + 24 ? geometry.width : found;
    const columns = width >= 680 ? 3 : width >= 400 ? 2 : 1;
    const density = window.devicePixelRatio || 1;
    const thin = Math.max(1, Math.round(density));
    const margin = 2 * thin;
    const room = width - 5; // its padding, and a fraction of a pixel
    const column = Math.max(160, Math.min(560, (room - GAP.least * (columns - 1)) / columns));
    const available = Math.floor(column * density) - 2 * margin;
    const pool = Math.ceil(layer.labels / available);
    const side = Math.ceil(layer.labels / pool);
    const size = Math.floor(available / side);
    const next = { width, size, pool, side, thin, margin };
    if (geometry && Object.keys(next).every((name) => next[name] === geometry[name])) return;
    geometry = next;
    const extent = side * size + 2 * margin;
    const panel = extent / density;
    const gap = columns === 1 ? GAP.most : Math.min(GAP.most, Math.floor((room - columns * panel) / (columns - 1)));
    dom.page.style.setProperty("--panel", `${panel}px`);
    dom.page.style.setProperty("--gap", `${gap}px`);
    const inLastRow = columns === 2 ? 1 : columns;
    dom.page.dataset.list = room - inLastRow * (panel + gap) >= 180 ? "beside" : "below";
    for (const drawn of panels) {
      drawn.data = new ImageData(side, side);
      drawn.pixels = new Uint32Array(drawn.data.data.buffer);
      drawn.image = new OffscreenCanvas(side, side);
      drawn.canvas.width = drawn.canvas.height = extent;
      drawn.canvas.style.width = drawn.canvas.style.height = `${panel}px`;
    }
    stale.fields = stale.measure = true;
  }

  function paintFields() {
    const { fields, labels: K } = layer;
    const { pool, side } = geometry;
    const start = index() * K * K;
    const scale = scaleOf(layer, index());
    const strongest = new Float32Array(side * side); // of the elements that share a pixel
    for (let i = 0, k = start; i < K; i++) {
      const line = Math.floor(i / pool) * side;
      for (let j = 0; j < K; j++, k++) {
        const p = line + (pool === 1 ? j : Math.floor(j / pool));
        const value = fields[k] / scale;
        if (value !== value || Math.abs(value) > Math.abs(strongest[p])) strongest[p] = value;
      }
    }
    const { pixels } = panels[0];
    for (let p = 0; p < pixels.length; p++) pixels[p] = fieldColour(strongest[p]);
    commit(panels[0]);
  }

  function paintClipped() {
    const { bits, labels: K, rowMaximum } = layer;
    const { pool, side } = geometry;
    const { cut, place } = filter;
    const clusterOf = filter.result.cluster_of;
    const start = index() * K * K;
    const [, { pixels: clipped }, { pixels: permuted }] = panels;
    clipped.fill(BLACK);
    permuted.fill(BLACK);
    for (let i = 0; i < K; i++) {
      if (rowMaximum[index() * K + i] <= cut) continue;
      const line = Math.floor(i / pool) * side;
      const permutedLine = Math.floor(place[i] / pool) * side;
      const cluster = clusterOf[i];
      for (let j = 0, k = start + i * K; j < K; j++, k++) {
        if (bits[k] <= cut) continue;
        clipped[line + (pool === 1 ? j : Math.floor(j / pool))] = WHITE;
        const isNoise = cluster === NO_CLUSTER || clusterOf[j] !== cluster;
        const p = permutedLine + (pool === 1 ? place[j] : Math.floor(place[j] / pool));
        if (!isNoise) permuted[p] = WHITE;
        else if (permuted[p] === BLACK) permuted[p] = YELLOW;
      }
    }
    commit(panels[1]);
    commit(panels[2]);
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
      context.strokeStyle = BOX;
      for (const [from, length] of filter.boxes) {
        const corner = Math.floor(from / pool) * size - thin / 2;
        const around = Math.max(1, length / pool) * size + thin;
        context.strokeRect(corner, corner, around, around);
      }
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
    dragging = false;
    if (threshold === released) return;
    released = threshold;
    awaited = { threshold, until: Date.now() + 5000 };
    callbacks.onRelease?.(threshold);
  }

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
  on(dom.slider, "pointerdown", () => (dragging = true));
  // The pointer moves in hundredths; the keyboard too, and in thousandths with Shift.
  on(dom.slider, "input", () => {
    const value = Number(dom.slider.value);
    setThreshold(dragging ? Math.round(value * 100) / 100 : value);
  });
  for (const end of ["change", "pointerup", "pointercancel", "keyup", "blur"]) on(dom.slider, end, release);
  on(dom.slider, "keydown", (event) => {
    const step = event.shiftKey ? 0.001 : 0.01;
    const [down, right] = ARROWS[event.key] ?? [0, 0];
    const by = { PageUp: 0.1, PageDown: -0.1, Home: -1, End: 1 }[event.key] ?? step * (right - down);
    if (by === 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
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

// ---- Colours --------------------------------------------------------------------------------------------------------

const packed = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
const BLACK = packed(GROUND);
const WHITE = packed([255, 255, 255]);
const YELLOW = packed(NOISE);

// Diverging, by [lightness, hue, chroma] in OKLab: lightness grows evenly from the dark ground at 0, to cream at the
// maximum and to pale blue at minus it.
const HUES = {
  positive: [[0.17, 285, 0.01], [0.42, 12, 0.13], [0.68, 45, 0.16], [0.97, 95, 0.04]],
  negative: [[0.17, 285, 0.01], [0.45, 262, 0.12], [0.72, 240, 0.1], [0.9, 220, 0.05]],
};
const RAMP = Array.from({ length: 511 }, (_, k) => rampColour((k - 255) / 255));
const RAMP_PACKED = Uint32Array.from(RAMP, packed);

function rampColour(value) {
  const stops = value < 0 ? HUES.negative : HUES.positive;
  const at = Math.abs(value) * (stops.length - 1);
  const k = Math.min(stops.length - 2, Math.floor(at));
  const turn = Math.PI / 180;
  const lab = ([L, hue, chroma]) => [L, chroma * Math.cos(hue * turn), chroma * Math.sin(hue * turn)];
  const [from, to] = [lab(stops[k]), lab(stops[k + 1])];
  const [L, a, b] = from.map((start, axis) => start + (to[axis] - start) * (at - k));
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  const encoded = linear.map((c) => (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055));
  return encoded.map((c) => Math.round(255 * Math.min(1, Math.max(0, c))));
}

function fieldColour(value) {
  if (value !== value) return packed(NOT_A_NUMBER);
  return RAMP_PACKED[255 + Math.round(255 * Math.min(1, Math.max(-1, value)))];
}

/** What the fields of a filter are divided by: its maximum; for a silent filter its largest finite magnitude. */
function scaleOf(layer, f) {
  if (!isSilent(layer.maximum[f])) return layer.maximum[f];
  let largest = 0;
  const size = layer.labels ** 2;
  for (let k = f * size; k < (f + 1) * size; k++) {
    const magnitude = Math.abs(layer.fields[k]);
    if (magnitude > largest && magnitude < Infinity) largest = magnitude;
  }
  return largest || 1;
}

/** [position, length] of each cluster along the permuted labels. */
function clusterRuns(labels, clusterOf) {
  const runs = [];
  labels.forEach((label, position) => {
    if (clusterOf[label] === NO_CLUSTER) return;
    if (position && clusterOf[labels[position - 1]] === clusterOf[label]) runs.at(-1)[1]++;
    else runs.push([position, 1]);
  });
  return runs;
}

/** Four thin bars from the edges of the panel to the cell at (x, y): [left, top, width, height]. */
function crosshair(x, y, size, extent, thin) {
  const [column, row] = [x + (size - thin) / 2, y + (size - thin) / 2].map(Math.floor);
  return [
    [0, row, x, thin],
    [x + size, row, extent - x - size, thin],
    [column, 0, thin, y],
    [column, y + size, thin, extent - y - size],
  ];
}

// ---- The page around the panels -------------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";
const count = new Intl.NumberFormat("en");
const rounded = (value) => (Number.isFinite(value) ? value.toFixed(2) : "–");
const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const plural = (n, one, many = `${one}s`) => `${count.format(n)} ${n === 1 ? one : many}`;

/** element("p.note", {title: "..."}, "text", child, ...): a string child is text, whatever it looks like. */
function element(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const isDrawing = ["svg", "path", "line", "text"].includes(name);
  const made = isDrawing ? document.createElementNS(SVG, name) : document.createElement(name);
  if (classes.length) made.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const swatch = (style) => element("i", { style });

/** Our own words, with the paper's subscripts: "N_c" -> N, <sub>c</sub>. */
const symbols = (text) => text.split(/_(\w)/).map((part, k) => (k % 2 ? element("sub", {}, part) : part));

/** A list of named values: [the list, the elements of its values]. */
function valueList(...names) {
  const cells = names.map(() => element("dd", {}, "–"));
  return [element("dl", {}, ...names.flatMap((name, k) => [element("dt", {}, ...symbols(name)), cells[k]])), cells];
}

function fill(cells, texts) {
  texts.forEach((text, k) => {
    if (cells[k].textContent !== text) cells[k].textContent = text;
  });
}

function buildControl() {
  const id = `fs-threshold-${Math.random().toString(36).slice(2)}`;
  const help = "A fraction of the filter's maximum. Arrow keys move it by 0.01, with Shift by 0.001.";
  const slider = element("input", { id, type: "range", min: 0, max: 1, step: 0.001, "aria-description": help });
  const number = element("output", { for: id });
  const ticks = Array.from({ length: 11 }, (_, k) => element("span", { style: `left:${k * 10}%` }, String(k / 10)));
  ticks[3].append(element("br"), "paper");
  const label = element("label", { for: id, title: help }, "Threshold");
  const scale = element("div.fs-ticks", { "aria-hidden": "true" }, ...ticks);
  const control = element("div.fs-control", {}, label, slider, number, scale);
  return { control, slider, number };
}

function buildFigures() {
  const titles = ["Fields", "Clipped", "Permuted"];
  const how = "input labels down, output labels across. Arrow keys read an element.";
  const labels = titles.map((title) => ({ "aria-label": `${title}: ${how}` }));
  const panels = labels.map((label) => element("canvas", { tabindex: 0, role: "img", ...label }));
  const notes = titles.map(() => element("small"));
  const stops = Array.from({ length: 17 }, (_, k) => `rgb(${RAMP[Math.round((k / 16) * 510)]})`);
  const ramp = element("span.fs-ramp", { style: `background:linear-gradient(90deg,${stops})` });
  const edge = "outline:1px solid #8888";
  const keys = [
    ["−1", ramp, "1", element("span", {}, "of the maximum")],
    [swatch(`background:#fff;${edge}`), "above", swatch(`background:rgb(${GROUND});${edge}`), "not above"],
    [swatch(`background:#fff;border:2px solid ${BOX}`), "cluster", swatch(`background:rgb(${NOISE})`), "noise"],
  ];
  const figures = titles.map((title, k) => {
    const caption = element("figcaption", {}, element("h4", {}, title), notes[k]);
    return element("figure", {}, caption, panels[k], element("div.fs-key", {}, ...keys[k]));
  });
  return { figures, panels, notes, ramp };
}

function buildChart() {
  const label = "Signal, noise_I and noise_I + noise_E of each label; dashed: their means. Arrow keys read a label.";
  const chart = element("svg", { role: "img", tabindex: 0, "aria-label": label });
  const grid = Array.from({ length: 3 }, () => [element("line.fs-axis"), element("text", { "text-anchor": "end" })]);
  const names = ["signal", "total", "internal"];
  const bars = names.map((name) => [element(`path.fs-${name}`), element("line.fs-mean")]);
  const mark = element("line.fs-mark");
  chart.append(...grid.flat(), ...bars.flat(), mark);
  const texts = ["signal", "noise_I + noise_E", "noise_I"].map((text) => element("span", {}, ...symbols(text)));
  const pairs = names.flatMap((name, k) => [swatch(`background:var(--${name})`), texts[k]]);
  const key = element("span.fs-key", {}, ...pairs);
  const labelNote = element("small", { role: "status", "aria-live": "polite" });
  const head = element("div.fs-head", {}, element("h4", {}, "Each label"), key, labelNote);
  return { chart, grid, bars, mark, labelNote, section: element("section.fs-chart", {}, head, chart) };
}

function buildPage() {
  const { control, slider, number } = buildControl();
  const { figures, panels, notes, ramp } = buildFigures();
  const { chart, grid, bars, mark, labelNote, section: chartSection } = buildChart();
  const told = ["span", "strong", "span", "strong", "span"].map((tag) => element(tag));
  const readout = element("div.fs-readout", { role: "status", "aria-live": "polite" }, ...told);
  const rows = Array.from({ length: LISTED + 1 }, () => {
    const parts = [element("em"), element("span"), element("em")]; // size, labels, super-classes
    return { parts, row: element("li", {}, parts[0], element("span", {}, parts[1], parts[2])) };
  });
  const clusters = element("ul.fs-clusters", { tabindex: 0, "aria-label": "Clusters of this filter, by label" });
  clusters.append(...rows.map(({ row }) => row));
  const [filterList, filterCells] = valueList(
    "Clusters", "Labels a cluster", "Noise elements, n", "Elements above", "Maximum of the fields",
  );
  const [layerList, layerCells] = valueList(
    "Clusters a filter, N_c", "Labels a cluster, C_s", "Noise elements a filter, n", "Silent filters",
    "Signal, mean of labels", "noise_I, mean of labels", "noise_E, mean of labels",
  );
  const [filterTitle, layerTitle, layerNote] = [element("h4"), element("h4"), element("small")];
  const clusterSection = element("section.fs-list", {}, element("h4", {}, "Its clusters"), clusters);
  const filterSection = element("section", {}, filterTitle, filterList);
  const layerSection = element("section.fs-layer", {}, layerTitle, layerList, layerNote);
  const page = element(
    "div.fs", {}, control, element("div.fs-row", {}, ...figures, readout, clusterSection),
    element("div.fs-row", { style: "--gap:28px" }, filterSection, layerSection, chartSection),
  );
  let shown = null; // the layer's numbers,
  let shownOf; // and the layer

  function showTheme() {
    const [red, green, blue] = getComputedStyle(page).backgroundColor.match(/[\d.]+/g).map(Number);
    page.dataset.theme = 0.3 * red + 0.6 * green + 0.1 * blue < 110 ? "dark" : "light";
  }

  function showThreshold(threshold) {
    if (Number(slider.value) !== threshold) slider.value = String(threshold);
    fill([number], [threshold.toFixed(Math.round(threshold * 1000) % 10 ? 3 : 2)]);
    ramp.style.setProperty("--at", `${50 + threshold * 50}%`);
  }

  function showFilter(name, { result, silent, labels, boxes }, layer) {
    const [above, noise] = [count.format(result.n_above[0]), count.format(result.noise[0])];
    const size = boxes.reduce((sum, [, length]) => sum + length, 0) / boxes.length;
    const found = `${plural(boxes.length, "cluster")}, n ${noise}`;
    const share = `${above} of ${count.format(layer.labels ** 2)}`;
    fill([filterTitle, ...notes], [`Filter ${name}`, `filter ${name}`, share, found]);
    const first = silent ? "silent" : count.format(boxes.length);
    fill(filterCells, [first, rounded(size), noise, above, result.maximum[0].toPrecision(4)]);
    slider.setAttribute("aria-valuetext", `${number.textContent} of the maximum: ${found}`);
    rows.forEach(({ row, parts }, k) => {
      const box = k < LISTED ? boxes[k] : undefined;
      row.hidden = !box && (k !== Math.min(LISTED, boxes.length) || (k > 0 && boxes.length <= LISTED));
      if (row.hidden) return;
      const held = box ? Array.from(labels.subarray(box[0], box[0] + box[1])) : [];
      const groups = layer.superclasses.length ? [...new Set(held.map((i) => layer.superclasses[i]))] : [];
      const rest = k === 0 ? "none at this threshold" : `and ${boxes.length - LISTED} more`;
      const names = box ? held.map((i) => layer.names[i]).join(" · ") : rest;
      fill(parts, [box ? `${box[1]}×${box[1]}` : "", names, groups.map((group) => ` ${group}`).join(",")]);
    });
  }

  /** Of a layer that is not measured here there are no numbers while the threshold moves: the last ones stay, pale. */
  function showLayer(numbers, which, layer) {
    if (numbers || shownOf !== layer.layer) shown = numbers;
    shownOf = layer.layer;
    fill([layerTitle], [`Layer ${layer.layer}, ${plural(layer.filters, "filter")}`]);
    page.classList.toggle("fs-stale", !numbers);
    const over = which === "all" ? "all filters" : "filters with a cluster";
    const note = numbers || layer.live ? `N_c and n: means over ${over}` : layer.note ?? "follows on release: too large to drag";
    layerNote.replaceChildren(...symbols(note));
    chartSection.hidden = !shown;
    if (!shown) return fill(layerCells, layerCells.map(() => "–"));
    const means = [shown.signal, shown.noise_internal, shown.noise_external].map(average);
    fill(layerCells, [...shown[which].map(rounded), count.format(shown.silent), ...means.map(rounded)]);
    return drawChart(shown);
  }

  function drawChart({ signal, noise_internal: internal, noise_external: external }) {
    const { left, top, bottom, height } = CHART;
    const width = chart.clientWidth || 600;
    const total = Array.from(internal, (value, i) => value + external[i]);
    const peak = niceCeiling(Math.max(1e-9, ...signal, ...total));
    const step = (width - left) / signal.length;
    const y = (value) => bottom - (value / peak) * (bottom - top);
    chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
    grid.forEach(([line, text], k) => {
      const value = (peak * k) / 2;
      place(line, left, width, y(value), y(value));
      text.setAttribute("x", left - 6);
      text.setAttribute("y", y(value) + 4);
      fill([text], [String(Number(value.toPrecision(3)))]);
    });
    [signal, total, internal].forEach((series, k) => {
      let path = "";
      series.forEach((value, i) => {
        if (value > 0) path += `M${(left + (i + 0.5) * step).toFixed(1)} ${bottom}V${y(value).toFixed(1)}`;
      });
      const [bar, mean] = bars[k];
      bar.setAttribute("d", path);
      bar.setAttribute("stroke-width", Math.max(0.6, step * 0.66));
      place(mean, left, width, y(average(series)), y(average(series)));
    });
  }

  function place(line, x1, x2, y1, y2) {
    for (const [key, value] of Object.entries({ x1, x2, y1, y2 })) line.setAttribute(key, value);
  }

  function showLabel(i, layer) {
    mark.toggleAttribute("hidden", i === null || !shown);
    if (i === null || !shown) return fill([labelNote], [""]);
    const x = CHART.left + ((i + 0.5) / layer.labels) * (chart.clientWidth - CHART.left);
    place(mark, x, x, CHART.bottom, CHART.bottom + 6);
    const [signal, internal, external] = [shown.signal[i], shown.noise_internal[i], shown.noise_external[i]];
    const noise = `noise_I ${rounded(internal)}, noise_E ${rounded(external)}`;
    return labelNote.replaceChildren(layer.names[i], `: signal ${signal}, `, ...symbols(noise));
  }

  function showCell(cell, { result, silent, cut, place: at, boxes }, layer, f) {
    if (!cell) {
      const axes = "Rows are input labels, columns output labels.";
      return fill(told, [`${axes} Point at an element, or focus a panel and use the arrow keys.`, "", "", "", ""]);
    }
    const [i, j] = cell;
    const k = (f * layer.labels + i) * layer.labels + j;
    const value = layer.fields[k];
    const share = silent ? "" : ` = ${(value / result.maximum[0]).toFixed(3)} of the maximum`;
    const boxOf = (label) => boxes.findIndex(([from, length]) => at[label] >= from && at[label] < from + length);
    const box = boxOf(i);
    let role = "not above the threshold";
    if (layer.bits[k] > cut) role = "noise: above the threshold, in no cluster";
    if (box >= 0 && box === boxOf(j)) role = `in cluster ${box + 1}, ${plural(boxes[box][1], "label")}`;
    const what = ` · field ${value.toPrecision(4)}${share} · ${role}`;
    return fill(told, ["input ", layer.names[i], " → output ", layer.names[j], what]);
  }

  const style = element("style", {}, CSS);
  return { style, page, slider, panels, chart, showTheme, showThreshold, showFilter, showLayer, showCell, showLabel };
}

/** The next of 1, 2, 4, 6, 8 x a power of ten: an axis that seldom changes while a bar grows. */
function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].find((step) => step * power >= value) * power;
}
