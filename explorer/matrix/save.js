// A drawing as a file, PNG or SVG. It is a list of shapes, drawn on a canvas or written as SVG: so an exported page,
// whose policy lets no image be loaded, gives both. Label names reach the SVG as text nodes alone.

import { element } from "./page.js";

export const DENSITY = 3; // pixels of a PNG a unit of the drawing
const SUB = { size: 0.75, down: 0.22 }; // of a letter below the line: its size and how far down, in sizes of the text
// What no XML may hold, half a character, and what turns the direction of the text that follows.
const UNWRITABLE = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]|[\u202A-\u202E\u2066-\u2069]/gu;

export const writable = (text) => text.replace(UNWRITABLE, "\uFFFD");
const fontOf = (drawing, size, weight = 400) => `${weight} ${size}px ${drawing.font}`;

/** Of a text shape: [letters, are they below the line]. Only our own words have such letters: "N_c". */
const partsOf = ({ text, symbols }) =>
  symbols ? text.split(/_(\w)/).map((part, k) => [part, k % 2 === 1]).filter(([part]) => part) : [[text, false]];

/** Two quiet buttons; `drawn()` gives { width, height, font, ground, shapes, file }, or null while there is nothing. */
export function saveButtons(what, drawn) {
  const buttons = ["PNG", "SVG"].map((kind) => {
    const button = element("button", { type: "button", "aria-label": `Save ${what} as ${kind}` }, kind);
    button.addEventListener("click", async () => {
      const drawing = drawn();
      if (!drawing) return;
      download(kind === "PNG" ? await asPng(drawing) : asSvg(drawing), `${drawing.file}.${kind.toLowerCase()}`);
    });
    return button;
  });
  return element("div.fs-save", { role: "group", "aria-label": `Save ${what}` }, ...buttons);
}

function download(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// ---- SVG ------------------------------------------------------------------------------------------------------------

function asSvg(drawing) {
  const { width, height, font, ground, shapes } = drawing;
  const size = { width, height, viewBox: `0 0 ${width} ${height}` };
  const background = element("path", { d: `M0 0H${width}V${height}H0Z`, fill: ground });
  const svg = element("svg", { ...size, "font-family": font }, background, ...shapes.map(svgShape));
  document.implementation.createDocument(null, "").adoptNode(svg); // where no image is loaded, which a policy may forbid
  const pictures = shapes.filter((shape) => shape.picture).map(({ picture }) => picture.toDataURL("image/png"));
  svg.querySelectorAll("image").forEach((image, k) => image.setAttribute("href", pictures[k]));
  return new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });
}

function svgShape(shape) {
  const { opacity = 1, fill = "none", stroke = "none", width = 1, dash = [], at = [0, 0] } = shape;
  const common = opacity === 1 ? {} : { opacity };
  const line = stroke === "none" ? {} : { stroke, "stroke-width": width };
  if (dash.length) line["stroke-dasharray"] = dash.join(" ");
  if (shape.picture) {
    const [x, y, across, down] = shape.box;
    const style = "image-rendering:optimizeSpeed;image-rendering:pixelated"; // the first for Inkscape
    const place = { x, y, width: across, height: down, preserveAspectRatio: "none", style };
    return element("image", { ...common, ...place });
  }
  if (shape.box) {
    const [x, y, across, down] = shape.box;
    const made = element("rect", { ...common, ...line, x, y, width: across, height: down, fill });
    if (shape.role) made.setAttribute("class", shape.role);
    if (shape.title) made.append(element("title", {}, writable(shape.title)));
    return made;
  }
  if (shape.path) return element("path", { ...common, ...line, d: shape.path, fill, transform: `translate(${at})` });
  return svgText(shape, common);
}

function svgText(shape, common) {
  const { x, y, size, weight, anchor = "start", fill, turned } = shape;
  const made = element("text", { ...common, x, y, fill, "font-size": size, "text-anchor": anchor, "xml:space": "preserve" });
  if (weight) made.setAttribute("font-weight", weight);
  if (turned) made.setAttribute("transform", `rotate(-90 ${x} ${y})`);
  let down = 0;
  for (const [part, below] of partsOf(shape)) {
    const wanted = below ? SUB.down * size : 0;
    const place = wanted === down ? {} : { dy: wanted - down };
    if (below) place["font-size"] = SUB.size * size;
    made.append(element("tspan", place, writable(part)));
    down = wanted;
  }
  return made;
}

// ---- PNG ------------------------------------------------------------------------------------------------------------

function asPng(drawing) {
  const [width, height] = [drawing.width, drawing.height].map((length) => Math.ceil(length * DENSITY));
  const canvas = element("canvas", { width, height });
  const context = canvas.getContext("2d");
  context.fillStyle = drawing.ground;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = false;
  for (const shape of drawing.shapes) {
    context.setTransform(DENSITY, 0, 0, DENSITY, 0, 0);
    context.globalAlpha = shape.opacity ?? 1;
    drawShape(context, shape, drawing);
  }
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function drawShape(context, shape, drawing) {
  Object.assign(context, { fillStyle: shape.fill, strokeStyle: shape.stroke, lineWidth: shape.width ?? 1 });
  context.setLineDash(shape.dash ?? []);
  if (shape.picture) return context.drawImage(shape.picture, ...shape.box);
  if (shape.box) {
    if (shape.fill) context.fillRect(...shape.box);
    return shape.stroke && context.strokeRect(...shape.box);
  }
  context.translate(...(shape.at ?? [shape.x ?? 0, shape.y ?? 0]));
  if (shape.path) return context.stroke(new Path2D(shape.path));
  if (shape.turned) context.rotate(-Math.PI / 2);
  const { middle, end } = { middle: shape.anchor === "middle", end: shape.anchor === "end" };
  let x = middle || end ? -textWidth(shape, drawing) / (middle ? 2 : 1) : 0;
  for (const [part, below] of partsOf(shape)) {
    context.font = fontOf(drawing, below ? SUB.size * shape.size : shape.size, shape.weight);
    context.fillText(writable(part), x, below ? SUB.down * shape.size : 0);
    x += context.measureText(writable(part)).width;
  }
  return undefined;
}

let ruler = null;

/** How wide a text shape is, in units of the drawing. */
export function textWidth(shape, drawing) {
  ruler ??= document.createElement("canvas").getContext("2d");
  return partsOf(shape).reduce((sum, [part, below]) => {
    ruler.font = fontOf(drawing, below ? SUB.size * shape.size : shape.size, shape.weight);
    return sum + ruler.measureText(writable(part)).width;
  }, 0);
}
