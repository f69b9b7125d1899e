"""The look of an audit page: calm, one column, the same on paper. Colours carry outcomes, and never alone: what failed
is hatched, what still runs is hollow, and every bar says in words what it is.
"""

from __future__ import annotations

STYLE = """
:root {
  --page: #f7f6f3; --surface: #fffffe; --ink: #1f2430; --muted: #646b7a; --line: #e3e1da;
  --completed: #2f7d6b; --failed: #b8433a; --interrupted: #c98a1b; --released: #7b8798; --blocked: #5b78b4;
  --cancelled: #b9bcc4; --running: #2f7d6b; --imported: #9a86b8;
  --gated: #c9c4b6; --scheduled: #dcc9a0; --ready: #9bbcd8; --claimed: #2f7d6b; --waiting: #b39bc8; --dead: #b8433a;
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main, header, footer { max-width: 1240px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 56px; }
h1 { font-size: clamp(1.8rem, 4vw, 2.5rem); line-height: 1.15; letter-spacing: -.02em; margin: 0 0 10px;
  text-wrap: balance; overflow-wrap: anywhere; }
.when { color: var(--muted); margin: 0 0 18px; font-variant-numeric: tabular-nums; }
h2 { font-size: 1.3rem; letter-spacing: -.01em; line-height: 1.3; margin: 52px 0 4px; }
.says { color: var(--muted); max-width: 72ch; margin: 0 0 16px; font-size: .95rem; }
.tiles { list-style: none; display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 12px;
  padding: 0; margin: 28px 0 16px; }
.tiles li, .card { background: var(--surface); border: 1px solid var(--line); border-radius: 12px; }
.tiles li { padding: 14px 16px; }
.tiles b { display: block; font-size: 1.7rem; line-height: 1.2; font-weight: 650; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums; }
.tiles span { color: var(--muted); font-size: .85rem; }
.card { padding: 18px 20px; overflow-x: auto; }
.story { border-left: 4px solid var(--completed); padding: 22px 26px; }
.story.broken { border-left-color: var(--failed); }
.story h2 { font-size: 1.05rem; margin: 18px 0 2px; } .story section:first-child h2 { margin-top: 0; }
.story p { margin: 0 0 4px; max-width: 84ch; overflow-wrap: anywhere; text-wrap: pretty; }
.story .hash { color: var(--muted); font-size: .85rem; }
code { font: .86em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
nav { margin: 40px 0 0; font-size: .9rem; display: flex; flex-wrap: wrap; gap: 4px 16px; }
a { color: #2b5f9e; text-underline-offset: 2px; }
a:focus-visible, .card:focus-visible { outline: 2px solid #2b5f9e; outline-offset: 2px; border-radius: 4px; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; fill: var(--ink); }
svg .tick { fill: var(--muted); font-size: 11px; font-variant-numeric: tabular-nums; }
svg .rule { stroke: var(--line); stroke-width: 1; }
svg .decision { fill: var(--ink); }
.completed { fill: var(--completed); } .failed { fill: url(#hatch); stroke: var(--failed); stroke-width: 1; }
.interrupted { fill: var(--interrupted); } .released { fill: var(--released); } .blocked { fill: var(--blocked); }
.cancelled { fill: var(--cancelled); } .other { fill: var(--imported); }
.running { fill: var(--surface); stroke: var(--running); stroke-width: 1.2; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 20px; padding: 0; margin: 12px 0 0;
  font-size: .85rem; color: var(--muted); }
.legend svg { display: inline-block; width: 14px; height: 10px; margin-right: 6px; }
.legend i, .share i { display: inline-block; width: 12px; height: 10px; border-radius: 2px; margin-right: 6px; }
.share { display: flex; height: 18px; border-radius: 4px; overflow: hidden; margin: 4px 0 10px; }
.share i { margin: 0; border-radius: 0; height: 100%; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; line-height: 1.45;
  font-variant-numeric: tabular-nums; }
.left-out { text-align: center; color: var(--muted); font-style: italic; }
caption { text-align: left; color: var(--muted); padding: 0 0 8px; }
th, td { text-align: left; vertical-align: top; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); }
thead th { color: var(--muted); font-weight: 600; white-space: nowrap; border-bottom-color: var(--muted); }
tbody th { font-weight: 600; }
th.number, th.length, td.number, td.length { text-align: right; }
td.number, td.length, td.time { white-space: nowrap; }
td, th { overflow-wrap: break-word; } tbody th, td.long, td.hash { overflow-wrap: anywhere; }
tbody th { min-width: 12em; } td.long { min-width: 11em; } td.hash { min-width: 21em; }
.word { white-space: nowrap; } .word::before { content: ""; display: inline-block; width: 8px; height: 8px;
  border-radius: 50%; margin-right: 6px; background: var(--released); }
.word.is-completed::before, .word.is-done::before, .word.is-accepted::before { background: var(--completed); }
.word.is-failed::before, .word.is-died::before, .word.is-dead::before { background: var(--failed); }
.word.is-interrupted::before { background: var(--interrupted); }
.word.is-approved::before, .word.is-acknowledged::before, .word.is-approve::before, .word.is-resolved::before {
  background: var(--completed); }
.word.is-rejected::before, .word.is-vetoed::before, .word.is-declined::before, .word.is-reject::before,
.word.is-veto::before { background: var(--failed); }
.word.is-unanswered::before, .word.is-deferred::before, .word.is-overruled::before, .word.is-stalled::before,
.word.is-overdue::before { background: var(--interrupted); }
footer { color: var(--muted); font-size: .85rem; padding-top: 40px; padding-bottom: 56px; }
@media print {
  @page { size: landscape; margin: 14mm; }
  :root { --page: #fff; }
  body { font-size: 10pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  nav { display: none; }
  main, header, footer { max-width: none; padding: 0; }
  header { padding-top: 0; }
  .card { border: 0; padding: 0; overflow: visible; }
  .story { border-left: 3px solid var(--completed); padding: 0 0 0 10px; }
  h2 { margin-top: 26px; break-after: avoid; } .says, .share, caption { break-after: avoid; }
  tr, li { break-inside: avoid; }
  thead { display: table-header-group; }
  table { font-size: 7pt; }
  td.time, td.number, td.length, thead th { white-space: normal; }
  th, td { padding-right: 8px; }
  tbody th, td.long { min-width: 8em; } td.hash { min-width: 16em; }
  svg { break-inside: avoid; }
}
"""
