// The rest of an exported page, after the live matrix: what to look at, the layer's table, the labels, and where the
// numbers come from. All text goes in as text (`element` appends strings as text nodes).

import { createMatrixView } from "../matrix/matrix.js";
import { AS_TRAINED, inGauge, layerNumbers, measureFilters, prepare, unpackLayer } from "../matrix/measure.js";
import { average, element, symbols } from "../matrix/page.js";

const content = JSON.parse(document.getElementById("content").textContent);
const encoded = JSON.parse(document.getElementById("layer").textContent);
const shownLayer = unpackLayer(Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0)));
if (content.note) shownLayer.note = content.note;
const given = content.view;
const present = fromAddress();
const orderOf = Object.fromEntries(Object.entries(content.orders).map(([name, order]) => [name, Int32Array.from(order)]));

/** The view of the address, #filter=3&threshold=0.25: a value that cannot be is the page's own. */
function fromAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const number = (name, fits) => (wanted.get(name) && fits(Number(wanted.get(name))) ? Number(wanted.get(name)) : given[name]);
  const choice = (name, options) => (options.includes(wanted.get(name)) ? wanted.get(name) : given[name]);
  const { first, held } = shownLayer;
  return {
    filter: number("filter", (value) => Number.isInteger(value) && value >= first && value < first + held),
    threshold: number("threshold", (value) => value >= 0 && value <= 1),
    order: choice("order", Object.keys(content.orders)),
    average: choice("average", ["clustered", "all"]),
    gauge: choice("gauge", content.gauges),
  };
}

function toAddress() {
  const changed = Object.entries(present).filter(([name, value]) => value !== given[name]);
  history.replaceState(null, "", changed.length ? `#${new URLSearchParams(changed)}` : "#");
}

// ---- Controls -------------------------------------------------------------------------------------------------------

const { first, held, labels: nLabels, names, superclasses, counts } = shownLayer;
const last = first + held - 1;
const unitName = content.unit[0].toUpperCase() + content.unit.slice(1);

const number = element("input", { id: "filter", type: "number", min: first, max: last, step: 1, value: present.filter });
const [back, forward] = ["Previous", "Next"].map((text) => element("button", { type: "button" }, text));
const orderBox = select("order", { stored: "as stored", reversed: "reversed", random: "random" }, Object.keys(content.orders));
const averageBox = select("average", { clustered: "filters with clusters", all: "all filters" }, ["clustered", "all"]);
const gaugeBox = select("gauge", { [AS_TRAINED]: AS_TRAINED, "zero-sum": "zero-sum" }, content.gauges);
if (held === 1) for (const control of [number, back, forward]) control.disabled = true;

function select(name, texts, options) {
  const made = element("select", { id: name }, ...options.map((value) => element("option", { value }, texts[value])));
  made.value = present[name];
  made.disabled = options.length < 2;
  made.addEventListener("change", () => change({ [name]: made.value }));
  return made;
}

const labelled = (text, control) => element("label", {}, element("span", {}, ...symbols(text)), control);
const controls = element(
  "div.controls", { role: "group", "aria-label": "What is shown" },
  back, labelled(`${unitName}, ${first} to ${last}`, number), forward,
  labelled("Scan order of the labels", orderBox), labelled("Gauge", gaugeBox),
  labelled("Means of n and N_c over", averageBox),
);
back.addEventListener("click", () => change({ filter: Math.max(first, present.filter - 1) }));
forward.addEventListener("click", () => change({ filter: Math.min(last, present.filter + 1) }));
number.addEventListener("change", () => {
  const value = Math.round(Number(number.value));
  change({ filter: Math.min(last, Math.max(first, Number.isFinite(value) ? value : present.filter)) });
});

// ---- Tables ---------------------------------------------------------------------------------------------------------

const HEAD = ["", "layer", "N_f", "F_s", "FC_s", "accuracy", "n", "N_c", "C_s", "silent", "signal", "noise_I", "noise_E"];
const QUANTITIES = ["n", "N_c", "C_s", "signal", "noise_I", "noise_E", "SNR_I", "SNR_E"]; // as content.chance has them
const digits = (value, n) => (typeof value === "number" && Number.isFinite(value) ? value.toFixed(n) : "–");
const tableNote = element("caption");
const [tableBody, labelBody] = [element("tbody"), element("tbody")];
const heads = (texts) => element("thead", {}, element("tr", {}, ...texts.map((text) => element("th", { scope: "col" }, ...symbols(text)))));
const row = (name, ...cells) => element("tr", {}, element("th", { scope: "row" }, name), ...cells.map((text) => element("td", {}, String(text))));
const layerTable = element("table", { id: "layer-table" }, tableNote, heads(HEAD), tableBody);
const labelTable = element(
  "table", { id: "label-table" }, element("caption", {}, "Each label at this threshold, in numbers"),
  heads(["label", "super-class", "test inputs", "signal", "noise_I", "noise_E"]), labelBody,
);

/** What null models give, once, of the view that the page was made with: drawing them anew takes more than a page has. */
function chanceTable() {
  const { draws, measured, rows } = content.chance;
  const drawn = rows.filter(({ numbers }) => numbers);
  const beside = ([mean, deviation]) =>
    typeof mean === "number" && typeof deviation === "number" ? `${digits(mean, 2)} ± ${digits(deviation, 2)}` : digits(mean, 2);
  const lines = QUANTITIES.map((name, i) => element(
    "tr", {}, element("th", { scope: "row" }, ...symbols(name)), element("td", {}, digits(measured[i], 2)),
    ...drawn.flatMap(({ numbers }) => [element("td", {}, beside(numbers[i])), element("td", {}, digits(numbers[i][2], 1))]),
  ));
  const gauge = given.gauge === AS_TRAINED ? "" : `, in the ${given.gauge} gauge`;
  const order = given.order === "stored" ? "" : `, labels scanned in ${given.order} order`;
  const missing = rows.filter(({ reason }) => reason).map(({ null: name, reason }) => ` ${name}: ${reason}.`);
  const caption = `As the page was made: threshold ${given.threshold}${gauge}${order}; ${draws} draw${draws === 1 ? "" : "s"} ` +
    "of each, mean ± standard deviation, and z. Labels shuffled: the outputs renamed at random. Rotated filters: the " +
    `layer in another basis, with the same outputs.${missing.join("")}`;
  return element("table", { id: "chance-table" }, element("caption", {}, caption),
    heads(["", "this file", ...drawn.flatMap(({ null: name }) => [name, "z"])]), element("tbody", {}, ...lines));
}

/** The layer at the present threshold; null where only the page's own is known and this is another. */
function measuredNow() {
  if (content.measure) return present.threshold === given.threshold ? content.measure : null;
  const measured = inGauge(shownLayer, present.gauge);
  for (let f = 0; f < held; f++) prepare(measured, f);
  return layerNumbers(measureFilters(measured, 0, held, present.threshold, orderOf[present.order]));
}

function showTables() {
  const found = measuredNow();
  const { layer, filters, size, fc_size: fcSize, accuracy } = content.row;
  const [clusters, clusterSize, noise] = found ? found[present.average] : [];
  const perLabel = found ? [found.signal, found.noise_internal, found.noise_external] : [];
  const means = found ? perLabel.map(average) : [];
  const ours = [layer, filters, size, fcSize, digits(accuracy, 3), digits(noise, 2), digits(clusters, 2), digits(clusterSize, 2)];
  const rest = [found ? found.silent : "–", digits(means[0], 2), digits(means[1], 3), digits(means[2], 3)];
  const rows = [row("this file", ...ours, ...rest)];
  if (content.paper) {
    const { n_filters, filter_side: side, fc_size, accuracy: theirs, noise: n, n_clusters, cluster_size } = content.paper;
    rows.push(row("the paper", layer, n_filters, `${side}x${side}`, fc_size, theirs, n, n_clusters, cluster_size, "", "", "", ""));
  }
  tableBody.replaceChildren(...rows);
  const over = present.average === "all" ? "all filters" : "filters with a cluster";
  const paper = content.paper ? ` The paper's Table ${content.paper.table} is at 0.3.` : "";
  const gauge = present.gauge === AS_TRAINED ? "" : `, in the ${present.gauge} gauge`;
  tableNote.replaceChildren(...symbols(`At threshold ${present.threshold}${gauge}; n and N_c are means over ${over}.${paper}`));
  labelBody.replaceChildren(
    ...names.map((name, i) => row(name, superclasses[i] ?? "", counts?.[i] ?? "–", ...perLabel.map((values) => digits(values[i], 3)))),
  );
}

// ---- The page -------------------------------------------------------------------------------------------------------

const matrix = element("div", { id: "matrix" });
const facts = content.provenance.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
const heading = (text) => element("h2", {}, text);
document.title = `${content.title}, layer ${shownLayer.layer}`;
document.getElementById("capsule").append(
  element("header", {}, element("h1", {}, document.title), element("p.note", {}, content.departures)),
  controls,
  matrix,
  element("section", {}, heading("The layer"), element("div.wide", { tabindex: 0, role: "region", "aria-label": "The layer's table" }, layerTable)),
  ...(content.chance ? [element("section", {}, heading("Beside chance"),
    element("div.wide", { tabindex: 0, role: "region", "aria-label": "The layer beside chance" }, chanceTable()))] : []),
  element("details", {}, element("summary", {}, "Each label in numbers"), labelTable),
  element("section", {}, heading("Where it comes from"), element("dl.facts", {}, ...facts)),
  element("footer", {}, heading("How to cite"), ...content.cite.map((text) => element("p", {}, text)),
    element("details", {}, element("summary", {}, "BibTeX"), element("pre", {}, content.bibtex))),
);

const stateNow = () => ({
  layer: shownLayer, filter: present.filter, threshold: present.threshold, order: orderOf[present.order],
  average: present.average, gauge: present.gauge, measure: content.measure,
});
const live = createMatrixView(matrix, stateNow(), { onRelease: (threshold) => change({ threshold }) });

function change(values) {
  Object.assign(present, values);
  number.value = String(present.filter);
  back.disabled = present.filter === first;
  forward.disabled = present.filter === last;
  [orderBox.value, averageBox.value, gaugeBox.value] = [present.order, present.average, present.gauge];
  live.update(stateNow());
  showTables();
  toAddress();
}

change({});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => live.update(stateNow()));
addEventListener("hashchange", () => change(fromAddress()));
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
