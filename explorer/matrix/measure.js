// Bytes -> a layer of field matrices -> what a threshold makes of it: the twin of layer.py, gauge.py and
// kernels.py in store/measure/.
// The same definitions in the same order of additions, so that both give the same bits (tests/explorer/matrix/test_matrix.py).

export const NO_CLUSTER = -1;
export const AS_TRAINED = "as trained"; // or "zero-sum": store/measure/gauge.py

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
  const layer = {
    gauge: AS_TRAINED,
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
  layer.inGauge = { [AS_TRAINED]: layer };
  return layer;
}

/** The layer in a gauge: what it came with is shared, its fields are made once, when they are first measured. */
export function inGauge(layer, gauge) {
  const of = layer.inGauge;
  if (!of[gauge]) {
    const made = newLayer(new Float32Array(layer.fields.length), layer.labels);
    of[gauge] = { ...layer, ...made, gauge, factors: layer.factors, inGauge: of };
  }
  return of[gauge];
}

/** F[i, j] - mean over j, of the matrix at `start`: summed in order, in float64, the difference rounded once. */
export function toZeroSum(fields, start, nLabels) {
  for (let i = 0, k = start; i < nLabels; i++) {
    let sum = 0;
    for (let j = 0; j < nLabels; j++) sum += fields[k + j];
    const mean = sum / nLabels;
    for (let j = 0; j < nLabels; j++, k++) fields[k] = Math.fround(fields[k] - mean) + 0; // no -0
  }
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
  } else if (layer.gauge !== AS_TRAINED) {
    fields.set(layer.inGauge[AS_TRAINED].fields.subarray(start, start + K * K), start);
  }
  if (layer.gauge !== AS_TRAINED) toZeroSum(fields, start, K);
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
 *  fields of Figure 2B. The names are those of `store.measure.layer.LayerMeasure`. */
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
