// Put into a page before its own scripts: how long its frames take, and when it shows what it should.
(() => {
  const ask = window.requestAnimationFrame.bind(window);
  const watch = (window.watch = { frames: [], threshold: null, started: 0, at: null });
  let matrix = null; // the root that the live matrix is drawn into
  let frame = { time: -1 };
  let firstEvent = null;

  function roots() {
    if (!matrix?.host.isConnected) {
      const hosts = [...document.querySelectorAll("*")].filter((element) => element.shadowRoot?.querySelector(".fs"));
      matrix = hosts.length ? hosts[0].shadowRoot : null;
    }
    return matrix ? [matrix, document] : [document];
  }

  const text = (element) => element.textContent;

  // A table of Streamlit's is a canvas; the text in it, for readers of screens, follows a fifth of a second later.
  const drawn = new Set(); // texts on canvases, since the last wait began
  const fillText = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (string, ...place) {
    drawn.add(string);
    return fillText.call(this, string, ...place);
  };

  // A frame: from the first pointer event that it answers to the end of its callbacks. Pointer events of a drag come
  // right before the callbacks of their frame.
  window.requestAnimationFrame = (callback) =>
    ask((time) => {
      const started = performance.now();
      try {
        callback(time);
      } finally {
        const ended = performance.now();
        if (frame.time !== time) frame = { time, began: firstEvent ?? started };
        const threshold = matrix && text(matrix.querySelector("output"));
        if (threshold !== watch.threshold) {
          watch.threshold = threshold;
          watch.frames.push(frame);
        }
        frame.ended = ended;
        firstEvent = null;
      }
    });

  window.addEventListener("pointermove", () => (firstEvent ??= performance.now()), true);
  for (const type of ["pointerup", "keydown"]) {
    window.addEventListener(type, (event) => (watch.started = event.timeStamp), true);
  }

  /** Find the matrix, and forget the frames so far. */
  watch.reset = () => {
    roots();
    watch.frames = [];
  };

  /** `watch.at` becomes the time at which, for each [selector, texts], the elements' first texts are these (an array), or
   *  one of them has this in it, or it has been drawn (a string). `since`: null for the last pointerup or keydown. */
  watch.until = (wanted, since = null) => {
    const holds = ([selector, texts]) =>
      roots().some((root) => {
        const found = [...root.querySelectorAll(selector)].map(text);
        if (typeof texts === "string") return drawn.has(texts) || found.some((each) => each.includes(texts));
        return texts.every((each, k) => found[k] === each);
      });
    wait(() => wanted.every(holds), since);
  };

  /** The same, for an image other than `before` that has arrived. */
  watch.untilImage = (before) => {
    wait(() => {
      const image = document.querySelector("img");
      return image && image.getAttribute("src") !== before && image.complete;
    });
  };

  function wait(holds, since = null) {
    watch.at = null;
    drawn.clear();
    const painted = new MessageChannel(); // its message comes after the paint of the frame that sends it
    painted.port1.onmessage = () => (watch.at = performance.now() - (since ?? watch.started));
    const look = () => (holds() ? painted.port2.postMessage(null) : ask(look));
    ask(look);
  }
})();
