// How large the panels are: arithmetic alone.

const GAP = { least: 6, most: 28 }; // between panels: a larger cell is worth a narrow one

/** Whole device pixels a label, so that all cells are equally large; with more labels than pixels, a pixel for `pool`
 *  labels, lit if one of their elements is: a lone element must not vanish. A margin holds the outer boxes.
 *  Returns device pixels a cell (size), labels a cell (pool), cells a side, width of a line (thin) and the margin, and in
 *  CSS pixels the panel, the gap between two, and whether there is room for a list beside them. */
export function layOut(width, labels, density) {
  const columns = width >= 680 ? 3 : width >= 400 ? 2 : 1;
  const thin = Math.max(1, Math.round(density));
  const margin = 2 * thin;
  const room = width - 5; // its padding, and a fraction of a pixel
  const column = Math.max(160, Math.min(560, (room - GAP.least * (columns - 1)) / columns));
  const available = Math.floor(column * density) - 2 * margin;
  const pool = Math.ceil(labels / available);
  const side = Math.ceil(labels / pool);
  const size = Math.floor(available / side);
  const extent = side * size + 2 * margin;
  const panel = extent / density;
  const gap = columns === 1 ? GAP.most : Math.min(GAP.most, Math.floor((room - columns * panel) / (columns - 1)));
  const inLastRow = columns === 2 ? 1 : columns;
  const hasRoom = room - inLastRow * (panel + gap) >= 180;
  return { width, density, labels, size, pool, side, thin, margin, extent, panel, gap, hasRoom };
}
