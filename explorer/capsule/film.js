// The rest of an exported film, after film.js: what it is of, and a threshold to move. All text goes in as text.

import { createFilmView } from "../matrix/film.js";
import { element } from "../matrix/page.js";
// ----
const content = JSON.parse(document.getElementById("content").textContent);
const encoded = JSON.parse(document.getElementById("layer").textContent);
const layers = unpackFilm(Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0)));
const place = element("div");
const present = {
  layers, epochs: content.epochs, epoch: content.epochs.at(-1), filter: content.filter, threshold: content.threshold,
  order: null, gauge: content.gauge, figure: true, gallery: true,
};
const threshold = element("input", { id: "threshold", type: "range", min: 0, max: 1, step: 0.01, value: content.threshold });
const shown = element("output", { for: "threshold" }, String(content.threshold));
const control = element("label", {}, element("span", {}, "Threshold, as a fraction of each maximum"), threshold);
document.title = content.title;
document.getElementById("capsule").append(
  element("h1", {}, content.title),
  element("p.note", {}, content.departures),
  element("div.controls", {}, control, shown),
  place,
  element("footer", {}, element("p.note", {}, `Content of the file: ${content.content}`)),
);
const view = createFilmView(place, { ...present }, {
  onFilter: (filter) => change({ filter }),
  onEpoch: (epoch) => Object.assign(present, { epoch }),
});
threshold.addEventListener("input", () => {
  shown.textContent = threshold.value;
  change({ threshold: Number(threshold.value) });
});

function change(values) {
  Object.assign(present, values);
  view.update({ ...present });
}
