// The test images that drive a filter, below its matrices: which part of each its maximum looks at, and which of them are of
// the label that the crosshair is on.

import { element } from "./page.js";

const TITLES = ["Largest activation", "Largest field on their own label"];
const WHOLE = 0.995; // a receptive field that covers this much of both sides is the image: no frame says more

export function buildStrip() {
  const told = element("small", { role: "status" });
  const rows = TITLES.map((title) => [element("small", {}, title), element("div.fs-images")]);
  const head = element("div.fs-what", {}, element("h4", {}, "Test images that drive it"), told);
  const section = element("section.fs-strip", {}, head, ...rows.flat());
  let shown; // what was drawn last
  let tiles = []; // [label, its element]

  function draw(strip, names) {
    section.hidden = !strip;
    if (strip === shown) return;
    shown = strip;
    tiles = [];
    (strip?.rankings ?? [[], []]).forEach((images, k) => {
      rows[k][1].replaceChildren(...images.map((image) => tile(image, names)));
      if (!images.length) rows[k][1].append(element("small", {}, "none: no value is above zero"));
    });
  }

  function tile({ source, input, label, value, box }, names) {
    const about = `${names[label]}, test input ${input}: ${value.toPrecision(3)}`;
    const picture = element("div.fs-image", {}, element("img", { src: source, alt: about }));
    if (box && Math.min(box[2], box[3]) < WHOLE) {
      const [top, left, height, width] = box.map((part) => `${(100 * part).toFixed(2)}%`);
      picture.append(element("i", { style: `top:${top};left:${left};height:${height};width:${width}` }));
    }
    const made = element("figure.fs-tile", { title: about }, picture, element("figcaption", {}, names[label]));
    tiles.push([label, made]);
    return made;
  }

  /** Images of the label of the row that is pointed at stand out. */
  function point(cell, names) {
    const label = cell ? cell[0] : null;
    let number = 0;
    for (const [of, made] of tiles) {
      made.toggleAttribute("data-other", label !== null && of !== label);
      number += of === label ? 1 : 0;
    }
    const text = label === null || !tiles.length ? "" : `${number || "none"} of ${names[label]}`;
    if (told.textContent !== text) told.textContent = text;
  }

  return { section, draw, point };
}
