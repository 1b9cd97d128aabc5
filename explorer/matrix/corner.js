// The corner of the permuted panel that holds the clusters, magnified, with its labels by name: among a hundred labels
// an element is a pixel or three. The paper frames the same corner in red and draws it again.

import { element } from "./page.js";
import { BOX_COLOUR, GROUND, NOISE } from "./paint.js";

const FEW = 24; // labels, at most
const LARGE = 12; // CSS pixels an element: a panel with such elements needs no magnifying
const CELL = { least: 11, most: 30, all: 264 }; // CSS pixels a side
const NAMES = 118; // CSS pixels for the names beside it

export function buildCorner() {
  const how = "the clusters' corner of the permuted panel. Its labels are listed beside it.";
  const canvas = element("canvas", { role: "img", "aria-label": `Magnified: ${how}` });
  const title = element("h4", {}, "The clusters' corner");
  const axes = element("small", {}, "input labels ↓, the same across as output labels");
  const section = element("section.fs-corner", {}, title, canvas, axes);
  return { section, canvas };
}

/** How many labels the corner shows: those of the clusters; 0 where nothing needs magnifying. */
export function cornerLabels(filter, geometry, labels) {
  const held = filter.boxes.reduce((sum, [, length]) => sum + length, 0);
  const isLarge = geometry.size / (geometry.pool * geometry.density) >= LARGE;
  return isLarge ? 0 : Math.min(labels, FEW, held);
}

export function paintCorner({ section, canvas }, layer, at, filter, geometry, style) {
  const shown = cornerLabels(filter, geometry, layer.labels);
  section.hidden = shown === 0;
  if (shown === 0) return;
  const { density, width } = geometry;
  const room = Math.min(CELL.all, width - NAMES - 8);
  const cell = Math.round(Math.min(CELL.most, Math.max(CELL.least, room / shown)) * density);
  const [left, extent] = [Math.round(NAMES * density), cell * shown];
  canvas.width = left + extent + 4;
  canvas.height = extent + 4;
  canvas.style.width = `${canvas.width / density}px`;
  canvas.style.height = `${canvas.height / density}px`;
  section.parentElement?.style.setProperty("--corner", canvas.style.height);
  const context = canvas.getContext("2d");
  context.translate(left, 2);
  context.fillStyle = `rgb(${GROUND})`;
  context.fillRect(0, 0, extent, extent);
  const { bits, labels: K, names } = layer;
  const clusterOf = filter.result.cluster_of;
  const inset = Math.max(1, Math.round(density / 2));
  for (let row = 0; row < shown; row++) {
    for (let column = 0; column < shown; column++) {
      const [i, j] = [filter.labels[row], filter.labels[column]];
      if (bits[(at * K + i) * K + j] <= filter.cut) continue;
      context.fillStyle = clusterOf[i] === clusterOf[j] ? "#fff" : `rgb(${NOISE})`;
      context.fillRect(column * cell + inset, row * cell + inset, cell - inset, cell - inset);
    }
  }
  context.strokeStyle = BOX_COLOUR;
  context.lineWidth = 2 * geometry.thin;
  for (const [from, length] of filter.boxes) {
    if (from + length <= shown) context.strokeRect(from * cell, from * cell, length * cell, length * cell);
  }
  const size = Math.min(12, cell / density - 1);
  context.font = `${size * density}px ${style.fontFamily}`;
  context.fillStyle = style.color;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (let row = 0; row < shown; row++) {
    context.fillText(fitted(context, names[filter.labels[row]], left - 10 * density), -8 * density, (row + 0.5) * cell);
  }
}

function fitted(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  const letters = Array.from(text);
  while (letters.length > 1 && context.measureText(`${letters.join("")}…`).width > room) letters.pop();
  return `${letters.join("")}…`;
}
