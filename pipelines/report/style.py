"""The look of the report: one style sheet, readable in light and dark, on paper and on a telephone."""

from __future__ import annotations

STYLE = """
:root { --ink: #24292f; --soft: #656d76; --line: #d8dee4; --paper: #ffffff; --tile: #f3f6f9; --blue: #1f5a86;
    --bad: #b3471d; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa4ae; --line: #30363d; --paper: #14181d; --tile: #1d232a; --blue: #7fb0d0;
    --bad: #e58a5c; }
  .chart img { background: #fff; border-radius: 6px; padding: 6px; }
}
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1120px;
    margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 26px; margin: 0 0 16px; }
h2 { font-size: 19px; margin: 40px 0 6px; border-bottom: 1px solid var(--line); padding-bottom: 4px; }
p { margin: 6px 0 12px; max-width: 75ch; }
.note { color: var(--soft); font-size: 13px; max-width: none; }
.problem { color: var(--bad); white-space: pre-wrap; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin-bottom: 12px; }
.tile { background: var(--tile); border-radius: 8px; padding: 12px 14px; }
.tile b { display: block; font-size: 24px; color: var(--blue); }
.tile span { color: var(--soft); font-size: 13px; }
img { max-width: 100%; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 12px; }
.gallery.wide { grid-template-columns: repeat(auto-fill, minmax(min(420px, 100%), 1fr)); }
.gallery.wide figure { min-width: 0; }
figure { margin: 0; }
figure img { width: 100%; border-radius: 6px; display: block; }
figcaption { font-size: 12px; color: var(--soft); margin-top: 3px; }
table { border-collapse: collapse; font-size: 13px; }
th, td { text-align: left; padding: 3px 14px 3px 0; border-bottom: 1px solid var(--line); vertical-align: top;
    overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 500; }
td { font-variant-numeric: tabular-nums; }
.scroll, .chart { overflow-x: auto; }
.chart img { min-width: min(100%, 620px); }
@media (max-width: 620px) { .chart img { min-width: 620px; max-width: none; } }
th, td:first-child { overflow-wrap: normal; }
pre { font-size: 12px; overflow-x: auto; background: var(--tile); padding: 12px; border-radius: 8px; }
summary { cursor: pointer; margin-top: 12px; }
"""
