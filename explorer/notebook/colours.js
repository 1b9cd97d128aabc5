// The colours of whatever a widget stands on: JupyterLab, VS Code, Colab and marimo each name theirs otherwise, and all
// show them. They go under the names that the matrix reads (matrix/style.js), which are Streamlit's.

const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** Any CSS colour as [red, green, blue, opacity], 0 to 255: also those that a browser gives back as oklch(). */
function channels(colour) {
  pixel.clearRect(0, 0, 1, 1);
  pixel.fillStyle = colour;
  pixel.fillRect(0, 0, 1, 1);
  return [...pixel.getImageData(0, 0, 1, 1).data];
}

/** Call `changed` after each change of theme; returns what ends it. */
export function followColours(host, changed) {
  let worn = "";

  function wear() {
    const ink = channels(getComputedStyle(host).color).slice(0, 3);
    const isLight = Math.max(...ink) > 140; // text; a frame may show the ground of a page that it cannot see
    let ground = isLight ? [17, 17, 17] : [255, 255, 255];
    for (let at = host; at; at = at.parentElement ?? at.getRootNode().host) {
      const [red, green, blue, opacity] = channels(getComputedStyle(at).backgroundColor);
      if (opacity < 128) continue;
      ground = [red, green, blue];
      break;
    }
    const [text, background] = [ink, ground].map((colour) => `rgb(${colour})`);
    if (worn === text + background) return;
    worn = text + background;
    host.style.setProperty("--st-text-color", text);
    host.style.setProperty("--st-background-color", background);
    changed();
  }

  // A theme is an attribute of <html> or <body>, or style sheets that arrive some time after it.
  const observer = new MutationObserver(wear);
  for (const of of [document.documentElement, document.body]) observer.observe(of, { attributes: true });
  observer.observe(document.head, { childList: true });
  const undo = new AbortController();
  document.addEventListener("load", wear, { capture: true, signal: undo.signal }); // of a style sheet
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", wear, { signal: undo.signal });
  requestAnimationFrame(wear); // by then it stands in its page
  wear();
  return () => {
    observer.disconnect();
    undo.abort();
  };
}
