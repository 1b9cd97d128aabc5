// How the live matrix looks. Its colours follow Streamlit's theme where it is on a page of Streamlit's.

export const CSS = `
.fs { --ink: var(--st-text-color, CanvasText); --ground: var(--st-background-color, Canvas);
  --accent: var(--st-primary-color, #2f6fb7);
  --line: var(--st-border-color, color-mix(in srgb, var(--ink) 16%, transparent));
  --track: color-mix(in srgb, var(--ink) 20%, transparent);
  --soft: color-mix(in srgb, var(--ink) 64%, transparent);
  --signal: #9bbbe0; --total: #e0a21b; --internal: #c4362b;
  color: var(--ink); background: var(--ground); font: 14px/1.45 var(--st-font, system-ui, sans-serif);
  font-variant-numeric: tabular-nums; display: grid; gap: 18px; min-width: 0; padding: 2px; }
.fs[data-theme=dark] { color-scheme: dark; --signal: #47698f; --total: #f0c03f; --internal: #ff7a6e; }
.fs * { box-sizing: border-box; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.fs :focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 2px; }
.fs h4 { font-weight: 600; font-size: 14px; line-height: 1.45; margin: 0; padding: 0; }
.fs small { color: var(--soft); font-size: 12px; }
.fs-control { display: grid; grid-template-columns: auto minmax(0, 1fr) 72px; gap: 2px 14px; align-items: center; }
.fs-control label { font-weight: 600; }
.fs-control input { width: 100%; height: 24px; margin: 0; cursor: grab; touch-action: pan-y; appearance: none;
  background: linear-gradient(var(--accent) 0 0) 0 50% / calc(8px + (100% - 16px) * var(--filled, 0)) 4px no-repeat,
    linear-gradient(var(--track) 0 0) 50% / 100% 4px no-repeat; }
.fs-control input::-webkit-slider-thumb { appearance: none; width: 16px; height: 16px; border-radius: 50%;
  background: var(--accent); border: 2px solid var(--ground); }
.fs-control input::-moz-range-thumb { width: 12px; height: 12px; border-radius: 50%; background: var(--accent);
  border: 2px solid var(--ground); }
.fs-control input:active { cursor: grabbing; }
.fs-control output { font-size: 25px; font-weight: 600; line-height: 1; text-align: right; }
.fs-ticks { grid-column: 2; position: relative; height: 30px; margin: 0 8px; color: var(--soft); font-size: 11px;
  line-height: 1.25; text-align: center; }
.fs-ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.fs-ticks span::before { content: ""; display: block; width: 1px; height: 4px; margin: auto; background: var(--soft); }
.fs-row { display: flex; flex-wrap: wrap; gap: 18px var(--gap, 28px); align-items: flex-start; }
.fs-row > section { flex: 1 1 230px; min-width: 0; }
.fs-row > .fs-list { flex: 1 1 300px; order: 2; }
.fs[data-list=beside] .fs-list { flex: 1 1 180px; order: 0; }
.fs-row > .fs-chart { flex: 3 1 380px; }
.fs figure { margin: 0; width: var(--panel); } .fs sub { line-height: 0; font-size: 0.8em; }
.fs figcaption { display: flex; align-items: baseline; gap: 12px; margin-bottom: 6px; }
.fs canvas { display: block; cursor: crosshair; background: rgb(13, 14, 18); outline: 1px solid var(--line); }
.fs-key { display: flex; align-items: center; gap: 6px; min-height: 18px; color: var(--soft); font-size: 12px; }
.fs-axes { display: flex; justify-content: space-between; } .fs-axes + .fs-key { margin-top: 3px; }
.fs-row > .fs-corner { flex: 0 1 auto; order: 2; } .fs-corner canvas { background: none; outline: none; margin-top: 6px; }
.fs-corner small { display: block; text-align: right; }
.fs[data-brief] .fs-numbers { display: none; }
.fs-key i { width: 10px; height: 10px; flex: none; }
.fs-key i:not(:first-child) { margin-left: 8px; }
.fs-ramp { position: relative; flex: 1; height: 9px; max-width: 150px; }
.fs-ramp::after { content: ""; position: absolute; left: var(--at); inset-block: -3px; width: 2px;
  margin-left: -1px; background: var(--ink); }
.fs-readout { flex: 1 1 100%; order: 1; min-height: 40px; padding: 9px 12px; border-radius: 6px;
  border: 1px solid var(--line); color: var(--soft); overflow-wrap: anywhere; }
.fs-readout strong { color: var(--ink); font-weight: 600; }
.fs dl { display: grid; grid-template-columns: 1fr auto; gap: 3px 12px; margin: 8px 0 0; max-width: 330px; }
.fs dt { color: var(--soft); font-weight: 400; } .fs dd { margin: 0; text-align: right; font-weight: 600; }
.fs-clusters { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: 3px 20px;
  align-content: start; min-height: 112px; max-height: max(112px, var(--corner, 112px)); overflow-y: auto; scrollbar-width: thin;
  margin: 6px 0 0; padding: 0; list-style: none; }
.fs[data-list=beside] .fs-clusters { height: var(--panel); max-height: none; }
.fs-clusters li { display: grid; grid-template-columns: 58px 1fr; margin: 0; overflow-wrap: anywhere; }
.fs em { color: var(--soft); font-style: normal; }
.fs-stale .fs-layer dl, .fs-stale svg { opacity: 0.4; }
.fs-head, .fs-what { display: flex; flex-wrap: wrap; gap: 2px 18px; align-items: baseline; }
.fs svg { display: block; width: 100%; height: 170px; margin-top: 8px; overflow: visible; }
.fs-save { display: flex; gap: 4px; justify-content: flex-end; }
.fs-row > .fs-save { flex: 1 1 100%; order: 1; margin-top: -10px; }
.fs-save button { font: 12px var(--st-font, system-ui, sans-serif); padding: 1px 8px; border-radius: 6px; cursor: pointer;
  color: var(--ink); background: none; border: 1px solid var(--line); opacity: 0.75; }
.fs-save button:is(:hover, :focus-visible) { opacity: 1; border-color: var(--accent); }
.fs-save button:disabled { opacity: 0.4; cursor: default; }
.fs [hidden] { display: none; }
.fs svg text { fill: var(--soft); font-size: 11px; }
.fs-axis { stroke: var(--line); } .fs-mean { stroke: var(--ink); stroke-dasharray: 5 4; opacity: 0.75; }
.fs-mark { stroke: var(--ink); }
.fs-signal { stroke: var(--signal); } .fs-total { stroke: var(--total); } .fs-internal { stroke: var(--internal); }
.fs-strip { min-width: 0; } .fs-images { display: flex; flex-wrap: wrap; gap: 8px 6px; padding: 4px 2px 8px; }
.fs .fs-tile { width: 56px; flex: none; margin: 0; transition: opacity 0.1s; } .fs .fs-tile[data-other] { opacity: 0.2; }
.fs .fs-tile figcaption { display: block; margin: 3px 0 0; font-size: 11px; line-height: 1.25; color: var(--soft);
  overflow-wrap: anywhere; }
.fs-image { position: relative; width: 56px; } .fs-image img { display: block; width: 100%; image-rendering: pixelated; }
.fs-image i { position: absolute; outline: 2px solid #ffd23f; box-shadow: 0 0 0 3px #000a; }
@media print {
  .fs { --ink: #111 !important; --ground: #fff !important; --line: #bbb !important; }
  .fs-save { display: none; }
  .fs .fs-clusters, .fs[data-list=beside] .fs-clusters { height: auto; overflow: visible; }
  .fs figure, .fs section { break-inside: avoid; } }
`;
