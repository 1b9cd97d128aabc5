// The page around the panels: the control, the lists of numbers, the chart of the labels. Label names come from a file that
// may be a stranger's: they reach the page through textContent alone.

import { NO_CLUSTER } from "./measure.js";
import { BOX_COLOUR, GROUND, NOISE, RAMP } from "./paint.js";
import { CSS } from "./style.js";

const SURE = 0.5; // of the resamples, as in Python (store.measure.bootstrap)
export const isUnsure = (share) => share !== null && share < SURE;
export const CHART = { left: 34, top: 8, bottom: 166, height: 170 }; // left: room for the numbers of its axis
export const SERIES = [["signal", "signal"], ["total", "noise_I + noise_E"], ["internal", "noise_I"]]; // of the chart
const LISTED = 60; // clusters listed by name
const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "path", "line", "text", "tspan", "rect", "image", "title"]);
const count = new Intl.NumberFormat("en");
const rounded = (value) => (Number.isFinite(value) ? value.toFixed(2) : "–");
export const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const plural = (n, one, many = `${one}s`) => `${count.format(n)} ${n === 1 ? one : many}`;

/** element("p.note", {title: "..."}, "text", child, ...): a string child is text, whatever it looks like. */
export function element(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = DRAWN.has(name) ? document.createElementNS(SVG, name) : document.createElement(name);
  if (classes.length) made.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const swatch = (style) => element("i", { style });

/** Our own words, with the paper's subscripts: "N_c" -> N, <sub>c</sub>. */
export const symbols = (text) => text.split(/_(\w)/).map((part, k) => (k % 2 ? element("sub", {}, part) : part));

/** A list of named values: [the list, the elements of its values]. */
const layerRows = (unit) => [
  `Clusters a ${unit}, N_c`, "Labels a cluster, C_s", `Noise elements a ${unit}, n`, `Silent ${unit}s`,
  "Signal, mean of labels", "noise_I, mean of labels", "noise_E, mean of labels",
];

function valueList(...names) {
  const [heads, cells] = [names.map((name) => element("dt", {}, ...symbols(name))), names.map(() => element("dd", {}, "–"))];
  return [element("dl", {}, ...heads.flatMap((head, k) => [head, cells[k]])), cells, heads];
}

function fill(cells, texts) {
  texts.forEach((text, k) => {
    if (cells[k].textContent !== text) cells[k].textContent = text;
  });
}

function buildControl() {
  const id = `fs-threshold-${Math.random().toString(36).slice(2)}`;
  const help = "A fraction of each matrix's maximum. Arrow keys move it by 0.01, with Shift by 0.001.";
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
    [swatch(`background:#fff;border:2px solid ${BOX_COLOUR}`), "cluster", swatch(`background:rgb(${NOISE})`), "noise"],
  ];
  const figures = titles.map((title, k) => {
    const caption = element("figcaption", {}, element("h4", {}, title), notes[k]);
    const axes = element("small.fs-axes", {}, "input labels ↓", element("span", {}, "output labels →"));
    return element("figure", {}, caption, panels[k], axes, element("div.fs-key", {}, ...keys[k]));
  });
  return { figures, panels, notes, ramp };
}

function buildChart() {
  const label = "Signal, noise_I and noise_I + noise_E of each label; dashed: their means. Arrow keys read a label.";
  const chart = element("svg", { role: "img", tabindex: 0, "aria-label": label });
  const grid = Array.from({ length: 3 }, () => [element("line.fs-axis"), element("text", { "text-anchor": "end" })]);
  const bars = SERIES.map(([name]) => [element(`path.fs-${name}`), element("line.fs-mean")]);
  const mark = element("line.fs-mark");
  chart.append(...grid.flat(), ...bars.flat(), mark);
  const pairs = SERIES.flatMap(([name, text]) => [swatch(`background:var(--${name})`), element("span", {}, ...symbols(text))]);
  const key = element("span.fs-key", {}, ...pairs);
  const labelNote = element("small", { role: "status", "aria-live": "polite" });
  const head = element("div.fs-head", {}, element("h4", {}, "Each label"), key, labelNote);
  return { chart, grid, bars, mark, labelNote, section: element("section.fs-chart", {}, head, chart) };
}

export function buildPage() {
  const { control, slider, number } = buildControl();
  const { figures, panels, notes, ramp } = buildFigures();
  const { chart, grid, bars, mark, labelNote, section: chartSection } = buildChart();
  const told = ["span", "strong", "span", "strong", "span"].map((tag) => element(tag));
  const readout = element("div.fs-readout", { role: "status", "aria-live": "polite" }, ...told);
  const rows = Array.from({ length: LISTED + 1 }, () => {
    const parts = [element("em"), element("span"), element("em")]; // size, labels, super-classes
    return { parts, row: element("li", {}, parts[0], element("span", {}, parts[1], parts[2])) };
  });
  const clusters = element("ul.fs-clusters", { tabindex: 0, "aria-label": "Its clusters, by label" });
  clusters.append(...rows.map(({ row }) => row));
  const [filterList, filterCells] = valueList(
    "Clusters", "Labels a cluster", "Noise elements, n", "Elements above", "Maximum of the fields",
  );
  const [layerList, layerCells, layerHeads] = valueList(...layerRows("filter"));
  const [filterTitle, layerTitle, layerNote] = [element("h4"), element("h4"), element("small")];
  const filterNote = element("small", { role: "status" });
  const clusterSection = element("section.fs-list", {}, element("h4", {}, "Its clusters"), clusters);
  const filterSection = element("section", {}, filterTitle, filterList, filterNote);
  const layerSection = element("section.fs-layer", {}, layerTitle, layerList, layerNote);
  const figureRow = element("div.fs-row", {}, ...figures, readout, clusterSection);
  const page = element(
    "div.fs", {}, control, figureRow,
    element("div.fs-row.fs-numbers", { style: "--gap:28px" }, filterSection, layerSection, chartSection),
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
    slider.style.setProperty("--filled", threshold);
  }

  function showFilter(name, { result, silent, labels, boxes, shares, rise }, layer) {
    const [above, noise] = [count.format(result.n_above[0]), count.format(result.noise[0])];
    const size = boxes.reduce((sum, [, length]) => sum + length, 0) / boxes.length;
    const found = `${plural(boxes.length, "cluster")}, n ${noise}`;
    const share = `${above} of ${count.format(layer.labels ** 2)}`;
    const title = `${layer.unit[0].toUpperCase()}${layer.unit.slice(1)} ${name}`;
    fill([filterTitle, ...notes], [title, `${layer.unit} ${name}`, share, found]);
    fill([filterNote], [rise ? `n rose from ${rise.map((n) => count.format(n)).join(" to ")}: a cluster broke, its elements are noise now` : ""]);
    const first = silent ? "silent" : count.format(boxes.length);
    fill(filterCells, [first, rounded(size), noise, above, result.maximum[0].toPrecision(4)]);
    slider.setAttribute("aria-valuetext", `${number.textContent} of the maximum: ${found}`);
    rows.forEach(({ row, parts }, k) => {
      const box = k < LISTED ? boxes[k] : undefined;
      row.hidden = !box && (k !== Math.min(LISTED, boxes.length) || (k > 0 && boxes.length <= LISTED));
      if (row.hidden) return;
      const held = box ? Array.from(labels.subarray(box[0], box[0] + box[1])) : [];
      const groups = layer.superclasses.length ? [...new Set(held.map((i) => layer.superclasses[i]))].filter(Boolean) : [];
      const rest = k === 0 ? "none at this threshold" : `and ${boxes.length - LISTED} more`;
      const names = box ? held.map((i) => layer.names[i]).join(" · ") : rest;
      const known = box && shares[k] !== null ? ` found in ${Math.round(100 * shares[k])}% of resamples` : "";
      const of = groups.length ? ` (${groups.join(", ")})` : "";
      fill(parts, [box ? `${k + 1}: ${box[1]}×${box[1]}` : "", names, of + known]);
    });
  }

  /** Of a layer that is not measured here there are no numbers while the threshold moves: the last ones stay, pale. */
  function showLayer(numbers, which, layer, least = 0) {
    if (numbers || shownOf !== layer.layer) shown = numbers;
    if (shownOf !== layer.layer) layerRows(layer.unit).forEach((row, k) => layerHeads[k].replaceChildren(...symbols(row)));
    shownOf = layer.layer;
    fill([layerTitle], [`Layer ${layer.layer}, ${plural(layer.filters, layer.unit)}`]);
    page.classList.toggle("fs-stale", !numbers);
    for (const save of chartSection.querySelectorAll("button")) save.disabled = !numbers;
    const over = which === "all" ? `all ${layer.unit}s` : `${layer.unit}s with a cluster`;
    const note = numbers || layer.live ? `N_c and n: means over ${over}` : layer.note ?? "follows on release: too large to drag";
    layerNote.replaceChildren(...symbols(note));
    chartSection.hidden = !shown;
    if (!shown) return fill(layerCells, layerCells.map(() => "–"));
    const means = [shown.signal, shown.noise_internal, shown.noise_external].map(average);
    fill(layerCells, [...shown[which].map(rounded), count.format(shown.silent), ...means.map(rounded)]);
    return drawChart(shown, least);
  }

  function drawChart({ signal, noise_internal: internal, noise_external: external }, least) {
    const { left, top, bottom, height } = CHART;
    const width = chart.clientWidth || 600;
    const total = Array.from(internal, (value, i) => value + external[i]);
    const peak = niceCeiling(Math.max(least ?? 0, ...signal, ...total) || 1);
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

  function showCell(cell, { result, silent, cut, labels, boxes }, layer, f) {
    if (!cell) {
      const axes = "Rows are input labels, columns output labels.";
      return fill(told, [`${axes} Point at an element, or focus a panel and use the arrow keys.`, "", "", "", ""]);
    }
    const [i, j] = cell;
    const k = (f * layer.labels + i) * layer.labels + j;
    const value = layer.fields[k];
    const share = silent ? "" : ` = ${(value / result.maximum[0]).toFixed(3)} of the maximum`;
    const cluster = result.cluster_of[i];
    let role = "not above the threshold";
    if (layer.bits[k] > cut) role = "noise: above the threshold, in no cluster";
    if (cluster !== NO_CLUSTER && cluster === result.cluster_of[j]) {
      const which = boxes.findIndex(([from]) => result.cluster_of[labels[from]] === cluster); // larger ones first
      role = `in cluster ${which + 1}, ${plural(boxes[which][1], "label")}`;
    }
    const what = ` · field ${value.toPrecision(4)}${share} · ${role}`;
    return fill(told, ["input ", layer.names[i], " → output ", layer.names[j], what]);
  }

  const style = element("style", {}, CSS);
  return { style, page, figures: figureRow, slider, clusterSection, panels, readout, chart, showTheme, showThreshold, showFilter, showLayer, showCell, showLabel };
}

/** The next of 1, 2, 4, 6, 8 x a power of ten: an axis that seldom changes while a bar grows. */
function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].find((step) => step * power >= value) * power;
}
