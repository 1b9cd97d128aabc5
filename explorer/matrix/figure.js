// What is on the screen, as drawings that can be saved (save.js): a filter's three panels with its clusters by name,
// and the chart of the labels.

import { AS_TRAINED } from "./measure.js";
import { CHART, isUnsure, SERIES } from "./page.js";
import { BOX_COLOUR, GROUND, NOISE, paintClipped, paintFields, RAMP } from "./paint.js";
import { DENSITY, textWidth, writable } from "./save.js";

const PANEL = 320; // units across, at most, unless there are more labels than that has pixels
const EDGE = 16;
const BETWEEN = { axis: 18, panels: 22, lines: 17 };
const NAMED = 24; // clusters, by the labels that they hold
const PALE = 0.64; // how strong what stands beside the heading is
const counted = new Intl.NumberFormat("en");

const gaugeOf = (layer, before) => (layer.gauge === AS_TRAINED ? "" : before + layer.gauge);
const inFileName = (text) => String(text).replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 40);

/** The page's colours and letters, and the words that every drawing starts with. */
function blank(page, heading, file) {
  const { color: ink, backgroundColor: ground, fontFamily: font } = getComputedStyle(page);
  const drawing = { ground, font, ink, shapes: [], file };
  write(drawing, heading, EDGE, EDGE + 12, { size: 15, weight: 600, opacity: 1 });
  return drawing;
}

/** Put a text on the drawing; returns where it ends. */
function write(drawing, text, x, y, more = {}) {
  const shape = { text, x, y, size: 12, fill: drawing.ink, opacity: PALE, ...more };
  drawing.shapes.push(shape);
  return x + textWidth(shape, drawing);
}

/** The three panels of a filter, as `matrix.js` measured it. `at`: where in the layer's message the filter stands. */
export function filterFigure(page, { layer, at, filter, name }) {
  const { result, boxes, labels, silent, shares } = filter;
  const K = layer.labels;
  const cell = Math.max(1, Math.floor((PANEL * DENSITY) / K)); // pixels of the PNG: whole, so all cells are as large
  const side = (cell * K) / DENSITY;
  const share = String(result.threshold);
  const file = `filterscope-layer-${inFileName(layer.layer)}-${layer.unit}-${name}-threshold-${share}${gaugeOf(layer, "-")}`;
  const heading = `Layer ${layer.layer}, ${layer.unit} ${name}, threshold ${share}${gaugeOf(layer, ", ")}`;
  const drawing = blank(page, heading, file);
  const found = `${boxes.length} cluster${boxes.length === 1 ? "" : "s"}, n ${counted.format(result.noise[0])}`;
  const above = `${counted.format(result.n_above[0])} of ${counted.format(K * K)} elements`;
  const titles = [["Fields", `maximum ${result.maximum[0].toPrecision(4)}`], ["Clipped", above], ["Permuted", found]];
  const top = EDGE + 44;
  const pitch = BETWEEN.axis + side + BETWEEN.panels;
  drawing.width = 2 * EDGE + 3 * pitch - BETWEEN.panels;
  paintPanels(layer, at, filter).forEach((picture, k) => {
    const left = EDGE + BETWEEN.axis + k * pitch;
    const end = write(drawing, titles[k][0], left, top - 8, { size: 13, weight: 600, opacity: 1 });
    write(drawing, titles[k][1], end + 10, top - 8);
    drawing.shapes.push({ picture, box: [left, top, side, side] });
    write(drawing, "input labels", left - 6, top + side / 2, { anchor: "middle", size: 11, turned: true });
    write(drawing, "output labels", left + side / 2, top + side + 15, { anchor: "middle", size: 11 });
    if (silent && k > 0) {
      const middle = { anchor: "middle", fill: "#b9bcc6", opacity: 1 };
      write(drawing, "silent: no finite field above 0", left + side / 2, top + side / 2, middle);
    }
    addKey(drawing, k, left, top + side + 38, result.threshold);
  });
  const corner = EDGE + BETWEEN.axis + 2 * pitch;
  const cellSide = side / K;
  const held = boxes.map(([from, length], k) => {
    const members = Array.from(labels.subarray(from, from + length));
    const known = shares[k] === null ? "" : `, in ${Math.round(100 * shares[k])}% of resamples`;
    const title = `cluster ${k + 1}, ${length}×${length}${known}`;
    return { from, length, title, dash: isUnsure(shares[k]) ? [4, 3] : [], names: members.map((label) => layer.names[label]) };
  });
  for (const { from, length, title, names, dash } of held) {
    const [x, y, around] = [corner + from * cellSide - 0.75, top + from * cellSide - 0.75, length * cellSide + 1.5];
    const told = `${title}: ${names.join(" · ")}`;
    drawing.shapes.push({ box: [x, y, around, around], stroke: BOX_COLOUR, width: 1.5, dash, role: "cluster", title: told });
  }
  drawing.height = addNames(drawing, held, top + side + 66) + EDGE;
  return drawing;
}

/** One pixel an element, also where the screen has one for several. */
function paintPanels(layer, at, filter) {
  const side = layer.labels;
  const data = [0, 1, 2].map(() => new ImageData(side, side));
  const [fields, clipped, permuted] = data.map((each) => new Uint32Array(each.data.buffer));
  const every = { pool: 1, side };
  paintFields(layer, at, every, fields);
  paintClipped(layer, at, filter, every, clipped, permuted);
  return data.map(pictureOf);
}

function pictureOf(data) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [data.width, data.height];
  canvas.getContext("2d").putImageData(data, 0, 0);
  return canvas;
}

/** What the colours of a panel mean, on the line at y. */
function addKey(drawing, panel, x, y, threshold) {
  const edge = { stroke: "#888888", width: 0.5 };
  const swatches = [
    [],
    [["above", { fill: "#ffffff", ...edge }], ["not above", { fill: `rgb(${GROUND})`, ...edge }]],
    [["cluster", { fill: "#ffffff", stroke: BOX_COLOUR, width: 1.5 }], ["noise", { fill: `rgb(${NOISE})` }]],
  ][panel];
  for (const [word, style] of swatches) {
    drawing.shapes.push({ box: [x + 1, y - 9, 9, 9], ...style });
    x = write(drawing, word, x + 16, y) + 16;
  }
  if (panel > 0) return;
  const ramp = new ImageData(RAMP.length, 1);
  RAMP.forEach((colour, k) => ramp.data.set([...colour, 255], 4 * k));
  const from = write(drawing, "−1", x, y) + 6;
  drawing.shapes.push({ picture: pictureOf(ramp), box: [from, y - 9, 120, 9] });
  const cut = from + 60 * (1 + threshold);
  drawing.shapes.push({ path: `M${cut} ${y - 12}V${y + 3}`, stroke: drawing.ink, width: 1.5 });
  write(drawing, "1 of the maximum", from + 126, y);
}

/** The labels of each cluster, in lines that fit; returns where the last line ends. */
function addNames(drawing, held, top) {
  const start = EDGE + BETWEEN.axis;
  const room = drawing.width - EDGE;
  let y = top;
  for (const { title, names } of held.slice(0, NAMED)) {
    const after = write(drawing, title, start, y, { opacity: 1, weight: 600 }) + 16;
    let x = after;
    names.forEach((name, k) => {
      const text = shortened(writable(name), room - after, drawing) + (k < names.length - 1 ? " · " : "");
      if (x > after && x + textWidth({ text, size: 12 }, drawing) > room) [x, y] = [after, y + BETWEEN.lines];
      x = write(drawing, text, x, y, { opacity: 1 });
    });
    y += BETWEEN.lines;
  }
  if (held.length > NAMED) write(drawing, `and ${held.length - NAMED} more`, start, y);
  return y - (held.length > NAMED ? 0 : BETWEEN.lines);
}

function shortened(text, room, drawing) {
  const width = textWidth({ text, size: 12 }, drawing);
  if (width <= room - 20) return text;
  const letters = Array.from(text);
  return `${letters.slice(0, Math.floor((letters.length * (room - 40)) / width)).join("")}…`;
}

/** The chart of the labels as it is drawn. */
export function labelsFigure(page, chart, { layer, threshold }) {
  const file = `filterscope-layer-${inFileName(layer.layer)}-labels-threshold-${threshold}${gaugeOf(layer, "-")}`;
  const drawing = blank(page, `Layer ${layer.layer}, each label, threshold ${threshold}${gaugeOf(layer, ", ")}`, file);
  let x = EDGE;
  for (const [name, words] of SERIES) {
    const colour = getComputedStyle(chart.querySelector(`.fs-${name}`)).stroke;
    drawing.shapes.push({ box: [x, EDGE + 25, 10, 10], fill: colour });
    x = write(drawing, words, x + 16, EDGE + 34, { symbols: true }) + 16;
  }
  write(drawing, "dashed: means", x, EDGE + 34);
  const at = [EDGE, EDGE + 48];
  for (const drawn of chart.querySelectorAll("line:not(.fs-mark), path, text")) {
    const attribute = (name) => Number(drawn.getAttribute(name));
    const style = getComputedStyle(drawn);
    if (drawn.tagName === "text") {
      const place = [at[0] + attribute("x"), at[1] + attribute("y")];
      write(drawing, drawn.textContent, ...place, { anchor: "end", size: 11 });
      continue;
    }
    const line = () => `M${attribute("x1")} ${attribute("y1")}L${attribute("x2")} ${attribute("y2")}`;
    const isAxis = drawn.classList.contains("fs-axis"); // its colour is a mixture, which few programs read in an SVG
    const path = drawn.tagName === "path" ? drawn.getAttribute("d") : line();
    const width = parseFloat(style.strokeWidth);
    const dash = style.strokeDasharray === "none" ? [] : style.strokeDasharray.match(/[\d.]+/g).map(Number);
    const [stroke, opacity] = isAxis ? [drawing.ink, 0.16] : [style.stroke, Number(style.opacity)];
    if (path) drawing.shapes.push({ path, at, stroke, opacity, width, dash });
  }
  drawing.width = 2 * EDGE + chart.clientWidth;
  const [middle, under] = [EDGE + (CHART.left + chart.clientWidth) / 2, at[1] + CHART.height + 14];
  write(drawing, `${layer.labels} labels, in the order of the file`, middle, under, { anchor: "middle", size: 11 });
  drawing.height = under + EDGE;
  return drawing;
}
