// Two buttons under a chart: the picture that Vega has drawn, as a file. Streamlit switches Vega's own menu off and
// offers a PNG only.

const BESIDE = 16; // pixels around the picture

function drawn(place) {
  const svg = document.querySelector(`.${CSS.escape(place)} svg.marks`);
  if (!svg) return null;
  const copy = svg.cloneNode(true);
  const [width, height] = [svg.width.baseVal.value, svg.height.baseVal.value];
  const page = getComputedStyle(document.querySelector(".stApp") ?? document.body);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("viewBox", `${-BESIDE} ${-BESIDE} ${width + 2 * BESIDE} ${height + 2 * BESIDE}`);
  copy.setAttribute("width", width + 2 * BESIDE);
  copy.setAttribute("height", height + 2 * BESIDE);
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect"); // else light text on a white page
  for (const [name, value] of Object.entries({ x: -BESIDE, y: -BESIDE, width: "100%", height: "100%", fill: page.backgroundColor }))
    ground.setAttribute(name, value);
  copy.prepend(ground);
  return { text: new XMLSerializer().serializeToString(copy), width: width + 2 * BESIDE, height: height + 2 * BESIDE };
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function toPng({ text, width, height }) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * width, 2 * height];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

export default function ({ parentElement, data }) {
  const [png, svg] = parentElement.querySelectorAll("button");
  parentElement.querySelector(".save").style.justifyContent = `flex-${data.side}`;
  png.setAttribute("aria-label", `Save the chart ${data.file} as PNG`);
  svg.setAttribute("aria-label", `Save the chart ${data.file} as SVG`);
  png.onclick = async () => {
    const picture = drawn(data.place);
    if (picture) save(await toPng(picture), `${data.file}.png`);
  };
  svg.onclick = () => {
    const picture = drawn(data.place);
    if (picture) save(new Blob([picture.text], { type: "image/svg+xml" }), `${data.file}.svg`);
  };
}
