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
    out.set(row, outAt + i * nLabels); // into float32: this is the one rounding
  }
}

/** Fill in what no threshold changes of filter f: its fields, where there are factors, and its maxima. */
export function prepare(layer, f) {
  if (layer.prepared[f]) return;
  const { fields, bits, labels: K, factors } = layer;
  const start = f * K * K;
  if (factors) fieldMatrix(factors.means, factors.weights, f * K * factors.positions, K, factors.positions, fields, start);
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

const CSS = `
.fs { --ink: var(--st-text-color, CanvasText); --ground: var(--st-background-color, Canvas);
  --accent: var(--st-primary-color, #2f6fb7); --line: var(--st-border-color, color-mix(in srgb, var(--ink) 16%, transparent));
  --soft: color-mix(in srgb, var(--ink) 64%, transparent); --signal: #3c74b4; --internal: #cf4436; --total: #d99a00;
  color: var(--ink); background: var(--ground); font: 14px/1.45 var(--st-font, system-ui, sans-serif);
  font-variant-numeric: tabular-nums; display: grid; gap: 18px; min-width: 0; padding: 2px; }
.fs[data-theme=dark] { --signal: #7fb0ea; --internal: #ff7a6e; --total: #f2c14a; }
.fs :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.fs * { box-sizing: border-box; }
.fs-control { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 2px 16px; align-items: center; }
.fs-control label { font-weight: 600; }
.fs-control input { width: 100%; height: 24px; margin: 0; accent-color: var(--accent); cursor: grab; touch-action: pan-y; }
.fs-control input:active { cursor: grabbing; }
.fs-control output { font-size: 26px; font-weight: 600; line-height: 1; min-width: 3.2ch; text-align: right; }
.fs-ticks { grid-column: 2; position: relative; height: 18px; margin: 0 8px; color: var(--soft); font-size: 11px; }
.fs-ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.fs-ticks span::before { content: ""; display: block; width: 1px; height: 4px; margin: 0 auto; background: var(--soft); }
.fs-panels { display: flex; flex-wrap: wrap; gap: 16px 28px; }
.fs figure { margin: 0; min-width: 0; }
.fs-panels figcaption { display: flex; justify-content: space-between; gap: 10px; margin-bottom: 6px; align-items: baseline; }
.fs b, .fs h4 { font-weight: 600; font-size: 14px; margin: 0; padding: 0; }
.fs small { color: var(--soft); font-size: 12px; }
.fs canvas { display: block; cursor: crosshair; background: rgb(${GROUND}); print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.fs-key { display: flex; align-items: center; gap: 6px; margin-top: 7px; min-height: 18px; color: var(--soft); font-size: 12px; }
.fs-key i { width: 10px; height: 10px; flex: none; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.fs-ramp { position: relative; flex: 1; height: 9px; max-width: 190px; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.fs-ramp::after { content: ""; position: absolute; left: var(--at); top: -3px; bottom: -3px; width: 2px; margin-left: -1px; background: var(--ink); }
.fs-readout { min-height: 40px; padding: 8px 12px; border: 1px solid var(--line); border-radius: 6px; color: var(--soft); overflow-wrap: anywhere; }
.fs-readout strong { color: var(--ink); font-weight: 600; }
.fs-numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(250px, 1fr)); gap: 20px 36px; align-items: start; }
.fs-numbers > section { min-width: 0; }
.fs dl { display: grid; grid-template-columns: 1fr auto; gap: 3px 12px; margin: 8px 0 0; }
.fs dt { color: var(--soft); } .fs dd { margin: 0; text-align: right; font-weight: 600; }
.fs-clusters { height: 208px; overflow-y: auto; margin: 8px 0 0; padding: 0; list-style: none; }
.fs-clusters li { display: grid; grid-template-columns: 26px 1fr; padding: 3px 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
.fs-clusters li:first-child { border-top: 0; } .fs-clusters li[hidden] { display: none; }
.fs-clusters em { color: var(--soft); font-style: normal; }
.fs svg { display: block; width: 100%; height: 170px; margin-top: 8px; overflow: visible; }
.fs-signal { stroke: var(--signal); } .fs-total { stroke: var(--total); } .fs-internal { stroke: var(--internal); }
.fs svg line { stroke-dasharray: 5 4; stroke-width: 1.2; } .fs svg line.fs-axis { stroke-dasharray: none; stroke-width: 1; }
.fs-wide { grid-column: 1 / -1; }
.fs svg path { fill: none; } .fs svg text { fill: var(--soft); font-size: 11px; } .fs-axis { stroke: var(--line); }
.fs-bars { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: center; }
@media print {
  .fs { --ink: #111 !important; --ground: #fff !important; --line: #bbb !important; }
  .fs-clusters { height: auto; overflow: visible; } .fs-control input { cursor: auto; } .fs figure, .fs section { break-inside: avoid; } }
`;

/** Draw a layer's filter into `root` (an element or a shadow root).
 *  state: { layer, filter, threshold, order (labels, or null: as stored), average ("clustered" or "all"), measure (the
 *  numbers of a layer too large to be measured here, or null) }. callbacks: onRelease(threshold), and onFrame(times in
 *  ms) for measuring. Returns { update(state), destroy(), callbacks }. */
export function createMatrixView(root, state, callbacks = {}) {
  const dom = buildPage();
  root.append(dom.style, dom.page);
  const panels = dom.panels.map((canvas) => ({ canvas, context: canvas.getContext("2d"), image: null, pixels: null }));
  let layer;
  let order;
  let threshold = state.threshold;
  let filter; // measured: { result, cut, labels: permutation, place: its inverse }
  let sizes = { cell: 1, pool: 1, side: 1 };
  let cell = null; // [input label, output label] that the crosshair is on
  let released = threshold;
  let awaited = null; // a released threshold that has not come back yet
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
    const isEcho = awaited !== null && next.threshold !== awaited; // the answer to an earlier release than the last
    if (!dragging && !isEcho && (changed("threshold") || next.threshold === awaited)) {
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
      dom.showLayer(numbers, state.average, layer.live, layer);
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
    filter = { result, labels, place, silent, cut: silent ? 0x7fffffff : cutBits(threshold, result.maximum[0]) };
  }

  /** Whole device pixels a label, so that all cells are equally large; with more labels than pixels, a pixel for
   *  `pool` labels, lit if one of their elements is: a lone element must not vanish. */
  function resize() {
    const width = dom.page.clientWidth || 900;
    const columns = width >= 720 ? 3 : width >= 480 ? 2 : 1;
    const density = window.devicePixelRatio || 1;
    const available = Math.floor(Math.max(160, Math.min(520, (width - 28 * (columns - 1) - 4) / columns)) * density);
    const pool = Math.max(1, Math.ceil(layer.labels / available));
    const side = Math.ceil(layer.labels / pool);
    const size = Math.max(1, Math.floor(available / side));
    if (panels[0].image && sizes.cell === size && sizes.pool === pool && sizes.side === side) return;
    sizes = { cell: size, pool, side };
    for (const panel of panels) {
      panel.image = new OffscreenCanvas(side, side);
      panel.data = new ImageData(side, side);
      panel.pixels = new Uint32Array(panel.data.data.buffer);
      panel.canvas.width = panel.canvas.height = side * size;
      panel.canvas.style.width = panel.canvas.style.height = `${(side * size) / density}px`;
      panel.canvas.closest("figure").style.width = panel.canvas.style.width;
    }
    stale.fields = stale.measure = true;
  }

  function paintFields() {
    const { fields, labels: K } = layer;
    const { pool, side } = sizes;
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
    const { pool, side } = sizes;
    const { cut, place, labels } = filter;
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
    filter.boxes = clusterRuns(labels, clusterOf);
    commit(panels[1]);
    commit(panels[2]);
  }

  function commit({ image, data }) {
    image.getContext("2d").putImageData(data, 0, 0);
  }

  function drawPanel({ canvas, context, image }, which) {
    const { cell: size, pool } = sizes;
    context.imageSmoothingEnabled = false;
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const thin = Math.max(1, Math.round(window.devicePixelRatio || 1));
    if (which === 2) {
      context.strokeStyle = BOX;
      context.lineWidth = thin;
      for (const [from, length] of filter.boxes) {
        const corner = (from / pool) * size;
        const extent = Math.max(3 * thin, (length / pool) * size);
        context.strokeRect(corner + thin / 2, corner + thin / 2, extent - (size > 2 ? 0 : thin), extent - (size > 2 ? 0 : thin));
      }
    }
    if (filter.silent && which > 0) {
      context.fillStyle = "#b9bcc6";
      context.textAlign = "center";
      context.font = `${13 * (window.devicePixelRatio || 1)}px ${getComputedStyle(dom.page).fontFamily}`;
      context.fillText("silent: no finite field above 0", canvas.width / 2, canvas.height / 2);
    }
    if (!cell) return;
    const [i, j] = which === 2 ? [filter.place[cell[0]], filter.place[cell[1]]] : cell;
    const x = Math.floor(j / pool) * size;
    const y = Math.floor(i / pool) * size;
    context.fillStyle = "rgba(120, 190, 255, 0.45)";
    for (const [left, top, wide, high] of crosshair(x, y, size, canvas.width, thin)) context.fillRect(left, top, wide, high);
    context.strokeStyle = "#8cc8ff";
    context.lineWidth = thin * 1.5;
    context.strokeRect(x - thin, y - thin, size + 2 * thin, size + 2 * thin);
  }

  // Which element a place on a panel shows, and back
  const labelAt = (which, position) => (which === 2 ? filter.labels[position] : position);
  const placeOf = (which, label) => (which === 2 ? filter.place[label] : label);

  function point(event, which) {
    const box = panels[which].canvas.getBoundingClientRect();
    const at = (offset, extent) => Math.min(layer.labels - 1, Math.max(0, Math.floor((offset / extent) * sizes.side) * sizes.pool));
    cell = [labelAt(which, at(event.clientY - box.top, box.height)), labelAt(which, at(event.clientX - box.left, box.width))];
    if (sizes.pool > 1) cell = strongestNear(which, cell);
    schedule();
  }

  /** Of the elements that share a pixel, the one with the largest field: the one that was drawn. */
  function strongestNear(which, [i, j]) {
    const K = layer.labels;
    const start = index() * K * K;
    const [row, column] = [placeOf(which, i), placeOf(which, j)];
    let best = [i, j];
    for (let r = row; r < Math.min(K, row + sizes.pool); r++) {
      for (let c = column; c < Math.min(K, column + sizes.pool); c++) {
        const candidate = [labelAt(which, r), labelAt(which, c)];
        const value = ([a, b]) => layer.fields[start + a * K + b];
        if (value(candidate) > value(best)) best = candidate;
      }
    }
    return best;
  }

  function steer(event, which) {
    const far = event.shiftKey ? 10 : 1;
    const moves = { ArrowUp: [-far, 0], ArrowDown: [far, 0], ArrowLeft: [0, -far], ArrowRight: [0, far], Home: [0, -1e9], End: [0, 1e9] };
    if (event.key === "Escape") cell = null;
    else if (moves[event.key]) {
      const from = cell ? cell.map((label) => placeOf(which, label)) : [0, 0];
      const to = cell || event.key === "End" ? from.map((p, axis) => p + moves[event.key][axis]) : from;
      cell = to.map((p) => labelAt(which, Math.min(layer.labels - 1, Math.max(0, p))));
    } else return;
    event.preventDefault();
    schedule();
  }

  function setThreshold(value) {
    threshold = Math.min(1, Math.max(0, Math.round(value * 1000) / 1000));
    dom.slider.value = String(threshold);
    refresh();
  }

  function release() {
    dragging = false;
    if (threshold === released) return;
    released = awaited = threshold;
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
  on(dom.slider, "input", () => setThreshold(dragging ? Math.round(dom.slider.value * 100) / 100 : Number(dom.slider.value)));
  on(dom.slider, "change", release);
  on(dom.slider, "pointerup", release);
  on(dom.slider, "pointercancel", release);
  on(dom.slider, "blur", release);
  on(dom.slider, "keyup", release);
  on(dom.slider, "keydown", (event) => {
    const step = event.shiftKey ? 0.001 : 0.01;
    const up = { ArrowUp: step, ArrowRight: step, ArrowDown: -step, ArrowLeft: -step, PageUp: 0.1, PageDown: -0.1, Home: -1, End: 1 };
    if (up[event.key] === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    setThreshold(threshold + up[event.key]);
  });
  on(dom.chart, "pointermove", (event) => dom.showLabel(event, layer));
  on(dom.chart, "pointerleave", () => dom.showLabel(null, layer));
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

// Diverging: lightness grows evenly in OKLab from the dark ground at 0, to cream at the maximum, to pale blue at minus it.
const HUES = { positive: [[0.17, 285, 0.01], [0.42, 12, 0.13], [0.68, 45, 0.16], [0.97, 95, 0.04]], negative: [[0.17, 285, 0.01], [0.45, 262, 0.12], [0.72, 240, 0.1], [0.9, 220, 0.05]] };
const RAMP = Array.from({ length: 511 }, (_, k) => rampColour((k - 255) / 255));
const RAMP_PACKED = Uint32Array.from(RAMP, packed);

function rampColour(value) {
  const stops = value < 0 ? HUES.negative : HUES.positive;
  const at = Math.abs(value) * (stops.length - 1);
  const k = Math.min(stops.length - 2, Math.floor(at));
  const mix = (axis) => {
    const lab = (stop) => [stop[0], stop[2] * Math.cos((stop[1] * Math.PI) / 180), stop[2] * Math.sin((stop[1] * Math.PI) / 180)];
    return lab(stops[k])[axis] * (k + 1 - at) + lab(stops[k + 1])[axis] * (at - k);
  };
  const [L, a, b] = [mix(0), mix(1), mix(2)];
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s, -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s, -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s];
  return linear.map((c) => Math.round(255 * Math.min(1, Math.max(0, c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055))));
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
  const made = ["svg", "path", "line", "text"].includes(name) ? document.createElementNS(SVG, name) : document.createElement(name);
  if (classes.length) made.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A list of named values: [the list, the elements of its values]. */
function valueList(...names) {
  const cells = names.map(() => element("dd", {}, "–"));
  return [element("dl", {}, ...names.flatMap((name, k) => [element("dt", {}, name), cells[k]])), cells];
}

function fill(cells, texts) {
  texts.forEach((text, k) => {
    if (cells[k].textContent !== text) cells[k].textContent = text;
  });
}

const swatch = (style) => element("i", { style });

function buildPage() {
  const slider = element("input", { id: "fs-threshold", type: "range", min: "0", max: "1", step: "0.001" });
  const number = element("output", { for: "fs-threshold" });
  const ticks = Array.from({ length: 11 }, (_, k) => element("span", { style: `left:${k * 10}%` }, k === 3 ? "0.3 (paper)" : String(k / 10)));
  const control = element(
    "div.fs-control",
    { title: "A fraction of the filter's maximum. Arrow keys move it by 0.01, with Shift by 0.001." },
    element("label", { for: "fs-threshold" }, "Threshold"), slider, number, element("div.fs-ticks", { "aria-hidden": "true" }, ...ticks),
  );

  const titles = ["Fields", "Above the threshold", "Clusters"];
  const panels = titles.map((title) => element("canvas", { tabindex: "0", role: "img", "aria-label": `${title}: input labels down, output labels across. Arrow keys read an element.` }));
  const notes = titles.map(() => element("small"));
  const stops = Array.from({ length: 17 }, (_, k) => `rgb(${RAMP[Math.round((k / 16) * 510)]})`);
  const ramp = element("span.fs-ramp", { style: `background:linear-gradient(90deg,${stops})` });
  const legends = [
    ["−1", ramp, "1 × its maximum"],
    [swatch("background:#fff;outline:1px solid #8888"), "above", swatch(`background:rgb(${GROUND});outline:1px solid #8888`), "not above"],
    [swatch(`background:#fff;border:2px solid ${BOX}`), "cluster", swatch(`background:rgb(${NOISE})`), "noise"],
  ];
  const figures = titles.map((title, k) =>
    element("figure", {}, element("figcaption", {}, element("b", {}, title), notes[k]), panels[k], element("div.fs-key", {}, ...legends[k])),
  );
  const readout = element("div.fs-readout", { role: "status", "aria-live": "polite" });

  const [filterList, filterCells] = valueList("Clusters", "Labels a cluster", "Noise elements, n", "Elements above the threshold", "Maximum of the fields");
  const clusters = element("ul.fs-clusters", { tabindex: "0", "aria-label": "Clusters of this filter, by label" });
  const rows = Array.from({ length: LISTED + 1 }, () => element("li", {}, element("em"), element("span")));
  clusters.append(...rows);
  const [layerList, layerCells] = valueList("Clusters a filter, N_c", "Labels a cluster, C_s", "Noise elements a filter, n", "Silent filters", "Signal, mean of labels", "noise_I, mean of labels", "noise_E, mean of labels");
  const layerNote = element("small");
  const filterTitle = element("h4");
  const layerTitle = element("h4");

  const chart = element("svg", { role: "img", "aria-label": "Signal, noise_I and noise_I + noise_E of each label" });
  const bars = { signal: element("path.fs-signal"), total: element("path.fs-total"), internal: element("path.fs-internal") };
  const means = { signal: element("line.fs-signal"), total: element("line.fs-total"), internal: element("line.fs-internal") };
  const grid = Array.from({ length: 3 }, () => [element("line.fs-axis"), element("text", { "text-anchor": "end" })]);
  chart.append(...grid.flat(), ...Object.values(bars), ...Object.values(means));
  const labelNote = element("small");
  const keys = [["signal", "signal"], ["total", "noise_I + noise_E"], ["internal", "noise_I"]].flatMap(([name, text]) => [swatch(`background:var(--${name})`), text]);
  const chartSection = element("section.fs-wide", {}, element("div.fs-bars", {}, element("h4", {}, "Each label"), element("span.fs-key", {}, ...keys), labelNote), chart);

  const page = element("div.fs", {}, control, element("div.fs-panels", {}, ...figures), readout, element("div.fs-numbers", {},
    element("section", {}, filterTitle, filterList),
    element("section", {}, element("h4", {}, "Its clusters"), clusters),
    element("section", {}, layerTitle, layerList, layerNote),
    chartSection));
  let shown = null; // numbers of the layer that the chart shows

  function showTheme() {
    const ground = getComputedStyle(page).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255];
    page.dataset.theme = 0.3 * ground[0] + 0.6 * ground[1] + 0.1 * ground[2] < 110 ? "dark" : "light";
  }

  function showThreshold(threshold) {
    if (Number(slider.value) !== threshold) slider.value = String(threshold);
    const text = threshold.toFixed(Math.round(threshold * 1000) % 10 ? 3 : 2);
    fill([number], [text]);
    ramp.style.setProperty("--at", `${50 + threshold * 50}%`);
  }

  function showFilter(name, { result, silent }, layer) {
    const K = layer.labels;
    const nClusters = result.n_clusters[0];
    const found = Array.from({ length: nClusters }, () => []);
    result.cluster_of.forEach((cluster, label) => cluster === NO_CLUSTER || found[cluster].push(label));
    found.sort((one, other) => other.length - one.length);
    const held = found.reduce((sum, labels) => sum + labels.length, 0);
    fill([filterTitle, notes[0]], [`Filter ${name}`, `filter ${name}`]);
    fill(notes.slice(1), [`${count.format(result.n_above[0])} of ${count.format(K * K)}`, `${plural(nClusters, "cluster")}, n ${count.format(result.noise[0])}`]);
    fill(filterCells, [
      silent ? "silent" : count.format(nClusters), rounded(held / nClusters), count.format(result.noise[0]), count.format(result.n_above[0]), result.maximum[0].toPrecision(4),
    ]);
    slider.setAttribute("aria-valuetext", `${number.textContent} of the maximum: ${plural(nClusters, "cluster")}, ${plural(result.noise[0], "noise element")}`);
    rows.forEach((row, k) => {
      const isListed = k < Math.min(LISTED, nClusters);
      const isRest = k === LISTED && nClusters > LISTED;
      row.hidden = !(isListed || isRest || (k === 0 && nClusters === 0));
      if (row.hidden) return;
      const names = isListed ? found[k].map((label) => layer.names[label]).join(" · ") : isRest ? `and ${nClusters - LISTED} more` : "none at this threshold";
      fill(row.children, [isListed ? String(found[k].length) : "", names]);
    });
  }

  function showLayer(numbers, which, isLive, layer) {
    shown = numbers;
    fill([layerTitle], [`Layer ${layer.layer}, ${plural(layer.filters, "filter")}`]);
    const [nClusters, size, noise] = numbers?.[which] ?? [];
    const labels = numbers ? [numbers.signal, numbers.noise_internal, numbers.noise_external].map(average) : [];
    fill(layerCells, [nClusters, size, noise].map(rounded).concat(numbers ? count.format(numbers.silent) : "–", [0, 1, 2].map((k) => rounded(labels[k]))));
    const over = which === "all" ? "N_c and n over all filters" : "N_c and n over filters with a cluster";
    fill([layerNote], [numbers || isLive ? over : "A layer of this size follows when the threshold is released."]);
    chartSection.style.opacity = numbers ? "1" : "0.35";
    if (numbers) drawChart(numbers);
  }

  function drawChart({ signal, noise_internal: internal, noise_external: external }) {
    const width = chart.clientWidth || 600;
    const height = 170;
    const [left, bottom, top] = [34, height - 4, 8];
    const total = Array.from(internal, (value, i) => value + external[i]);
    const K = signal.length;
    const peak = niceCeiling(Math.max(1e-9, ...signal, ...total));
    const x = (i) => left + ((i + 0.5) / K) * (width - left);
    const y = (value) => bottom - (value / peak) * (bottom - top);
    chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
    grid.forEach(([line, text], k) => {
      const at = y((peak * k) / 2);
      place(line, left, width, at);
      text.setAttribute("x", left - 6);
      text.setAttribute("y", at + 4);
      fill([text], [String(Number(((peak * k) / 2).toPrecision(3)))]);
    });
    for (const [name, series] of Object.entries({ signal, total, internal })) {
      let path = "";
      for (let i = 0; i < K; i++) if (series[i] > 0) path += `M${x(i).toFixed(1)} ${bottom}V${y(series[i]).toFixed(1)}`;
      bars[name].setAttribute("d", path);
      bars[name].setAttribute("stroke-width", Math.max(0.6, ((width - left) / K) * 0.66));
      place(means[name], left, width, y(average(series)));
    }
  }

  function place(line, from, to, at) {
    for (const [key, value] of Object.entries({ x1: from, x2: to, y1: at, y2: at })) line.setAttribute(key, value);
  }

  function showLabel(event, layer) {
    if (!event || !shown) return fill([labelNote], [""]);
    const box = chart.getBoundingClientRect();
    const i = Math.floor(((event.clientX - box.left - 34) / (box.width - 34)) * layer.labels);
    if (i < 0 || i >= layer.labels) return fill([labelNote], [""]);
    const [signal, internal, external] = [shown.signal, shown.noise_internal, shown.noise_external].map((series) => series[i]);
    return fill([labelNote], [`${layer.names[i]}: signal ${signal}, noise_I ${rounded(internal)}, noise_E ${rounded(external)}`]);
  }

  const told = ["input ", "", " → output ", "", "", ""].map((text, k) => element(k === 1 || k === 3 ? "strong" : "span", {}, text));
  readout.append(...told);

  function showCell(cell, { result, silent, cut }, layer, f) {
    if (!cell) {
      return fill(told, ["Point at an element, or focus a panel and use the arrow keys. Rows are input labels, columns output labels.", "", "", "", "", ""]);
    }
    const [i, j] = cell;
    const at = (f * layer.labels + i) * layer.labels + j;
    const [of, cluster] = [result.cluster_of[j], result.cluster_of[i]];
    const isInside = cluster !== NO_CLUSTER && cluster === of;
    const value = layer.fields[at];
    const share = silent ? "" : ` = ${(value / result.maximum[0]).toFixed(3)} of the maximum`;
    const role = isInside ? `cluster ${cluster + 1}, ${plural(result.sizes[cluster], "label")}` : layer.bits[at] > cut ? "noise: above the threshold, in no cluster" : "not above the threshold";
    return fill(told, ["input ", layer.names[i], " → output ", layer.names[j], ` · field ${value.toPrecision(4)}${share}`, ` · ${role}`]);
  }

  return { page, slider, panels, chart, style: element("style", {}, CSS), showTheme, showThreshold, showFilter, showLayer, showCell, showLabel };
}

/** The next of 1, 2, 4, 6, 8 x a power of ten: an axis that seldom changes while a bar grows. */
function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].find((step) => step * power >= value) * power;
}
