"""What the page looks like beyond what Quasar gives."""

STYLE = """
.nicegui-content { padding: 0; }
.yaff-page { height: 100vh; gap: 0; overflow: hidden; }
.yaff-queue { width: 32%; min-width: 330px; height: 100vh; padding: 10px; overflow: auto; gap: 8px; }
.yaff-scene { flex: 1; min-width: 420px; height: 100vh; padding: 10px; overflow: auto; gap: 6px; }
.yaff-tools { width: 340px; height: 100vh; padding: 10px; overflow: auto; gap: 8px; }
.yaff-card { width: 100%; padding: 8px; gap: 6px; }
.yaff-canvas { border-radius: 6px; overflow: hidden; width: 100%; }
.yaff-reference { flex: none; }
.yaff-image { pointer-events: none; }
.yaff-stack { display: grid; grid-template-columns: minmax(0, 1fr); align-items: start; }
.yaff-stack > * { grid-area: 1 / 1; overflow: hidden; }
.yaff-narrow { width: 300px; min-width: 300px; }
.yaff-measures table { font-size: 12px; border-collapse: collapse; }
.yaff-measures td, .yaff-measures th { padding: 1px 8px; text-align: right; }
.yaff-measures td:first-child { text-align: left; opacity: 0.8; }
.yaff-measures tr.broken td { color: #e5484d; font-weight: 600; }
.yaff-verdict { font-weight: 600; }
.yaff-verdict.good { color: #3fa45b; }
.yaff-verdict.bad { color: #d08a2e; }
.yaff-joints { width: 100%; }
.yaff-joint { display: grid; grid-template-columns: 110px 1fr 42px; align-items: center; gap: 6px; font-size: 12px; }
.yaff-joint input { width: 100%; accent-color: #5b8def; }
.yaff-joint output { text-align: right; font-variant-numeric: tabular-nums; }
.yaff-joint.yaff-limit output { color: #d08a2e; }
.yaff-queue tr.held td { background: rgba(91, 141, 239, 0.25); }
@media (max-width: 1100px) { .yaff-page { flex-wrap: wrap; height: auto; overflow: auto; } }
@media (max-width: 700px) {
  .yaff-queue, .yaff-scene, .yaff-tools { flex: none; width: 100%; min-width: 0; height: auto; }
  .yaff-queue { max-height: 45vh; }
}
"""
