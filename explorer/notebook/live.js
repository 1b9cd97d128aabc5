// The live matrix in a notebook (anywidget): the element of the page, whose threshold, filter, gauge and crosshair are
// traits of the model. All that it draws is in the model's state, which a notebook saves: it needs no kernel to be dragged.

import { createMatrixView } from "../matrix/matrix.js";
import { AS_TRAINED, unpackLayer } from "../matrix/measure.js";
import { element } from "../matrix/page.js";
import { followColours } from "./colours.js";

const TRAITS = ["threshold", "filter", "gauge", "average", "pointer", "_layer", "_numbers"].map((name) => `change:${name}`);
const AT_REST = 80; // ms that the pointer stays on an element before Python is told: not of all that it passes
const CONTROLS = `
.fs-choose { display: flex; flex-wrap: wrap; gap: 6px 18px; align-items: center; padding: 2px 2px 12px;
  color: var(--st-text-color); font: 14px/1.45 system-ui, sans-serif; }
.fs-choose :is(button, input, select) { font: inherit; padding: 1px 8px; color: inherit; border-radius: 6px;
  background: var(--st-background-color); border: 1px solid color-mix(in srgb, var(--st-text-color) 30%, transparent); }
.fs-choose span { display: flex; gap: 6px; align-items: center; } .fs-choose input { width: 76px; }
.fs-choose :focus-visible { outline: 2px solid #2f6fb7; outline-offset: 1px; }`;

/** Which filter, in which gauge. */
function buildChoice(change) {
  const number = element("input", { type: "number", step: 1 });
  const [back, forward] = [["‹", "Previous"], ["›", "Next"]].map(([text, name]) =>
    element("button", { type: "button", "aria-label": name }, text));
  const gauge = element("select", {}, ...[AS_TRAINED, "zero-sum"].map((value) => element("option", { value }, value)));
  const [named, upTo] = [element("label"), element("small")];
  named.append(number);
  const row = element("div.fs-choose", { role: "group", "aria-label": "What is shown" },
    element("span", {}, back, named, forward, upTo), element("label", {}, "Gauge ", gauge));
  let last = 0;
  const turn = (to) => change("filter", Math.min(last, Math.max(0, Math.round(Number(to)) || 0)));
  back.addEventListener("click", () => turn(Number(number.value) - 1));
  forward.addEventListener("click", () => turn(Number(number.value) + 1));
  number.addEventListener("change", () => turn(number.value));
  gauge.addEventListener("change", () => change("gauge", gauge.value));

  function draw(state) {
    last = state.layer.filters - 1;
    if (!named.firstChild.data) named.prepend(`${state.layer.unit[0].toUpperCase()}${state.layer.unit.slice(1)} `);
    Object.assign(number, { min: 0, max: last, value: state.filter });
    [back.disabled, forward.disabled, gauge.value] = [state.filter === 0, state.filter === last, state.gauge];
    upTo.textContent = `of 0 to ${last}`;
  }
  return { row, draw };
}

function render({ model, el }) {
  // Shortcuts of JupyterLab see the host alone, not what has the focus in it: arrow keys would move between cells.
  const host = element("div", { "data-lm-suppress-shortcuts": "true" });
  const root = host.attachShadow({ mode: "open" });
  el.append(host);
  let view = null;
  let bytes = null;
  let layer = null;
  let waiting = 0;
  const choice = buildChoice(change);
  root.append(element("style", {}, CONTROLS), choice.row);

  function change(name, value) {
    model.set(name, value);
    model.save_changes();
  }

  function stateNow() {
    if (model.get("_layer") !== bytes) {
      bytes = model.get("_layer");
      layer = unpackLayer(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      if (!layer.live) layer.note = "follow on release, from Python: too large a layer for a cell of a notebook";
    }
    const [threshold, gauge, numbers] = ["threshold", "gauge", "_numbers"].map((name) => model.get(name));
    const isKnown = numbers && numbers.threshold === threshold && numbers.gauge === gauge; // else Python is yet to answer
    // Of a large layer the state has one filter: another one comes when Python hears that it is wanted.
    const filter = Math.min(layer.first + layer.held - 1, Math.max(layer.first, model.get("filter")));
    const sure = gauge === AS_TRAINED ? model.get("_sure") : null;
    return {
      layer, filter, threshold, gauge, order: model.get("_order"), average: model.get("average"),
      measure: isKnown ? numbers : null, pointer: model.get("pointer"),
      sample: sure && { threshold: sure.threshold, clusters: sure.of[filter] ?? [] },
    };
  }

  function update() {
    const state = stateNow();
    // What Python says of the crosshair may be older than where the person points by now.
    if (root.querySelector("canvas:hover")) delete state.pointer;
    choice.draw(state);
    view.update(state);
  }

  function begin() {
    view = createMatrixView(root, stateNow(), {
      onRelease: (threshold) => change("threshold", threshold),
      onPoint(cell) {
        clearTimeout(waiting);
        waiting = setTimeout(() => change("pointer", cell), AT_REST);
      },
    });
    choice.draw(stateNow());
    for (const trait of TRAITS) model.on(trait, update);
    undo.push(followColours(host, () => view.update(stateNow())), () => view.destroy());
  }

  // JupyterLab puts the element into its page after this call; until then nothing of it has a colour or a size.
  const observer = new ResizeObserver(() => {
    if (host.clientWidth === 0) return;
    observer.disconnect();
    begin();
  });
  observer.observe(host);
  const undo = [() => observer.disconnect(), () => host.remove()];
  return () => {
    clearTimeout(waiting);
    for (const trait of TRAITS) model.off(trait, update);
    for (const done of undo) done();
  };
}

export default { render };
