// Measures the cases of a file (argument 2) with the module (argument 1) and writes what it found (argument 3):
// for each case its numbers as float64, one after the other, in the order in which tests/explorer/matrix/test_matrix.py takes them.
import { readFileSync, writeFileSync } from "node:fs";

const [, , modulePath, casesPath, foundPath] = process.argv;
const source = readFileSync(modulePath).toString("base64");
const js = await import(`data:text/javascript;base64,${source}`);
const [cases, body] = js.unframe(readFileSync(casesPath));
const found = [];
let layer;
for (const { at, size, gauge, threshold, order, counts } of cases.cases) {
  if (at !== undefined) {
    layer = js.inGauge(js.unpackLayer(body.subarray(at, at + size)), gauge);
    for (let f = 0; f < layer.held; f++) js.prepare(layer, f);
    found.push(layer.fields);
  }
  const K = layer.labels;
  const result = js.measureFilters(layer, 0, layer.held, threshold, order, counts);
  const numbers = js.layerNumbers(result);
  found.push(result.n_clusters, result.noise, result.n_above, result.maximum, result.silent, result.cluster_of);
  found.push(result.sizes.filter((size) => size > 0), result.signal, result.noise_internal, result.noise_external);
  if (counts) found.push(result.signal_field, result.noise_internal_field, result.noise_external_field);
  found.push(numbers.clustered, numbers.all, [numbers.silent, numbers.clusters]);
  for (let f = 0; f < layer.held; f++) found.push(js.permutation(result.cluster_of.subarray(f * K, (f + 1) * K)));
}
const numbers = new Float64Array(found.reduce((sum, array) => sum + array.length, 0));
let k = 0;
for (const array of found) {
  numbers.set(array, k);
  k += array.length;
}
writeFileSync(foundPath, numbers);
