// Tables are drawn on canvases, which a screen reader can say nothing of: each gets the name of its table.
if (!window.filterscopeNames) {
  window.filterscopeNames = true;
  const name = () => {
    for (const canvas of document.querySelectorAll("[data-testid=stDataFrame] canvas:not([aria-label])")) {
      const key = canvas.closest('[class*="st-key-grid_"]')?.className.match(/st-key-grid_([\w-]+)/)?.[1];
      canvas.setAttribute("aria-label", key ? `Table: ${key.replaceAll("-", " ")}` : "Table");
    }
  };
  let asked = 0;
  new MutationObserver(() => (asked ||= requestAnimationFrame(() => ((asked = 0), name())))).observe(document.body, {
    childList: true,
    subtree: true,
  });
}
