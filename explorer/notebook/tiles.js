// A layer's filters as tiles. What is said of them goes in as text; pictures are PNG of the state's own.

const CSS = `
p { margin: 4px 0 8px; } div { display: flex; flex-wrap: wrap; gap: 6px; }
button { display: grid; gap: 2px; justify-items: center; padding: 3px; cursor: pointer; font: inherit; font-size: 11px;
  color: inherit; background: none; border: 2px solid transparent; border-radius: 4px; }
button:hover { border-color: color-mix(in srgb, currentColor 40%, transparent); }
button[aria-pressed=true] { border-color: #2f7fd0; }
button:focus-visible { outline: 2px solid #2f7fd0; outline-offset: 1px; }
img { display: block; width: 100px; image-rendering: pixelated;
  outline: 1px solid color-mix(in srgb, currentColor 20%, transparent); }`;

function made(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function render({ model, el }) {
  const host = made("div", { "data-lm-suppress-shortcuts": "true" });
  const root = host.attachShadow({ mode: "open" });
  const tiles = model.get("_tiles").map(({ filter, picture, about }) => {
    const image = made("img", { src: `data:image/png;base64,${picture}`, alt: "" });
    const tile = made("button", { type: "button", title: about, "aria-label": about }, image, String(filter));
    tile.addEventListener("click", () => {
      model.set("filter", filter);
      model.save_changes();
    });
    return [filter, tile];
  });

  function mark() {
    for (const [filter, tile] of tiles) tile.setAttribute("aria-pressed", String(filter === model.get("filter")));
  }

  const row = made("div", { role: "group" }, ...tiles.map(([, tile]) => tile));
  root.append(made("style", {}, CSS), made("p", {}, model.get("_said")), row);
  el.append(host);
  model.on("change:filter", mark);
  mark();
  return () => {
    model.off("change:filter", mark);
    host.remove();
  };
}

export default { render };
