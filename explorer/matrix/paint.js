// A measured filter -> the pixels of its three panels: fields, clipped, permuted; and where boxes and crosshair are.

import { isSilent, NO_CLUSTER } from "./measure.js";

export const NOISE = [255, 205, 44]; // the paper's: black and white, noise yellow, clusters in red boxes
export const GROUND = [13, 14, 18];
export const BOX_COLOUR = "#ff5d54"; // around a cluster
const NOT_A_NUMBER = [214, 64, 200];

/** Fields -> pixels (side x side), each coloured by the strongest of the elements that share it. */
export function paintFields(layer, f, { pool, side }, pixels) {
  const { fields, labels: K } = layer;
  const scale = scaleOf(layer, f);
  const strongest = new Float32Array(side * side);
  for (let i = 0, k = f * K * K; i < K; i++) {
    const line = Math.floor(i / pool) * side;
    for (let j = 0; j < K; j++, k++) {
      const p = line + (pool === 1 ? j : Math.floor(j / pool));
      const value = fields[k] / scale;
      if (value !== value || Math.abs(value) > Math.abs(strongest[p])) strongest[p] = value;
    }
  }
  for (let p = 0; p < pixels.length; p++) pixels[p] = fieldColour(strongest[p]);
}

/** Elements above the cut -> pixels, as stored and permuted; noise is yellow on the permuted panel. A pixel that
 *  several elements share is lit if one of them is. */
export function paintClipped(layer, f, { cut, place, result }, { pool, side }, clipped, permuted) {
  const { bits, labels: K, rowMaximum } = layer;
  const clusterOf = result.cluster_of;
  clipped.fill(BLACK);
  permuted.fill(BLACK);
  for (let i = 0; i < K; i++) {
    if (rowMaximum[f * K + i] <= cut) continue;
    const line = Math.floor(i / pool) * side;
    const permutedLine = Math.floor(place[i] / pool) * side;
    const cluster = clusterOf[i];
    for (let j = 0, k = (f * K + i) * K; j < K; j++, k++) {
      if (bits[k] <= cut) continue;
      clipped[line + (pool === 1 ? j : Math.floor(j / pool))] = WHITE;
      const isNoise = cluster === NO_CLUSTER || clusterOf[j] !== cluster;
      const p = permutedLine + (pool === 1 ? place[j] : Math.floor(place[j] / pool));
      if (!isNoise) permuted[p] = WHITE;
      else if (permuted[p] === BLACK) permuted[p] = YELLOW;
    }
  }
}

/** [position, length] of each cluster along the permuted labels. */
export function clusterRuns(labels, clusterOf) {
  const runs = [];
  labels.forEach((label, position) => {
    if (clusterOf[label] === NO_CLUSTER) return;
    if (position && clusterOf[labels[position - 1]] === clusterOf[label]) runs.at(-1)[1]++;
    else runs.push([position, 1]);
  });
  return runs;
}

/** Four thin bars from the edges of the panel to the cell at (x, y): [left, top, width, height]. */
export function crosshair(x, y, size, extent, thin) {
  const [column, row] = [x + (size - thin) / 2, y + (size - thin) / 2].map(Math.floor);
  return [
    [0, row, x, thin],
    [x + size, row, extent - x - size, thin],
    [column, 0, thin, y],
    [column, y + size, thin, extent - y - size],
  ];
}

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
export const RAMP = Array.from({ length: 511 }, (_, k) => rampColour((k - 255) / 255));
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
