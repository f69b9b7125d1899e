"""Just enough SVG: a canvas that collects marks, the scales to place them, and the style that light and dark share.

Marks carry classes, never colours, so that a page decides how they look; a file that is opened by itself brings
`STYLE` along. Coordinates are user units, written with at most one decimal place, so that the bytes are stable.
"""

from __future__ import annotations

from datetime import date
from html import escape

LIGHT = {
    "page": "#f5f6f8",
    "surface": "#ffffff",
    "ink": "#171c26",
    "muted": "#586173",
    "line": "#e2e6ed",
    "first": "#2c5fbf",
    "first-soft": "#c5d5f2",
    "second": "#b4560b",
    "heat-0": "#eef1f5",
    "heat-1": "#c5d5f2",
    "heat-2": "#8fb0e6",
    "heat-3": "#5585d4",
    "heat-4": "#2c5fbf",
    "heat-5": "#183b80",
    "heat-ink-low": "#171c26",
    "heat-ink-high": "#ffffff",
}
DARK = {
    "page": "#0d1117",
    "surface": "#151b24",
    "ink": "#e9edf4",
    "muted": "#9aa6b8",
    "line": "#29313e",
    "first": "#79a6f6",
    "first-soft": "#2a4270",
    "second": "#f0a462",
    "heat-0": "#1b222d",
    "heat-1": "#213458",
    "heat-2": "#2f4f8c",
    "heat-3": "#4a76c9",
    "heat-4": "#79a6f6",
    "heat-5": "#c0d6ff",
    "heat-ink-low": "#e9edf4",
    "heat-ink-high": "#0d1117",
}
MARKS = """
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--muted); }
svg .strong { fill: var(--ink); font-weight: 600; }
svg .accent { fill: var(--second); font-weight: 600; }
svg .rule { stroke: var(--line); stroke-width: 1; }
svg .mark { stroke: var(--second); stroke-width: 1.5; stroke-dasharray: 4 3; }
svg .first { fill: var(--first); }
svg .second { fill: var(--second); }
svg .soft { fill: var(--first-soft); }
svg .stem { stroke: var(--first-soft); stroke-width: 3; }
svg .tick { stroke: var(--first); stroke-width: 1.5; }
svg .area { fill: var(--first-soft); opacity: 0.55; }
svg .curve { fill: none; stroke: var(--first); stroke-width: 2; stroke-linejoin: round; }
svg .h0 { fill: var(--heat-0); } svg .h1 { fill: var(--heat-1); } svg .h2 { fill: var(--heat-2); }
svg .h3 { fill: var(--heat-3); } svg .h4 { fill: var(--heat-4); } svg .h5 { fill: var(--heat-5); }
svg .low { fill: var(--heat-ink-low); font-size: 11px; } svg .high { fill: var(--heat-ink-high); font-size: 11px; }
"""


def colours(palette: dict[str, str]) -> str:
    """The palette as declarations of custom properties."""
    return " ".join(f"--{name}: {value};" for name, value in palette.items())


STYLE = (
    f":root {{ color-scheme: light dark; {colours(LIGHT)} }}\n"
    f"@media (prefers-color-scheme: dark) {{ :root {{ {colours(DARK)} }} }}\n{MARKS}"
)


class Canvas:
    """An SVG picture in the making; `name` makes its title's id unique within a page."""

    def __init__(self, *, name: str, title: str, text: str, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            f'aria-labelledby="{name}-title {name}-text">'
            f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-text">{escape(text)}</desc>'
        )
        self._marks: list[str] = []

    def text(self, x: float, y: float, words: str, *, anchor: str = "start", kind: str = "") -> None:
        """Words with their baseline at `y`; `anchor` is start, middle or end."""
        self._marks.append(f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"{_class(kind)}>{escape(words)}</text>')

    def rectangle(
        self, x: float, y: float, width: float, height: float, kind: str, *, tip: str = "", round_by: float = 2
    ) -> None:
        """A rectangle; `tip` is shown while the pointer rests on it."""
        inside = f"<title>{escape(tip)}</title>" if tip else ""
        self._marks.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(round_by)}"'
            f"{_class(kind)}>{inside}</rect>"
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """A straight line."""
        self._marks.append(f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"{_class(kind)}/>')

    def dot(self, x: float, y: float, radius: float, kind: str, *, tip: str) -> None:
        """A disc with a tip."""
        self._marks.append(
            f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}"{_class(kind)}><title>{escape(tip)}</title></circle>'
        )

    def path(self, points: list[tuple[float, float]], kind: str, *, closed: bool = False) -> None:
        """A line through the points, closed to an area if wanted."""
        steps = " ".join(f"{'M' if not position else 'L'}{_n(x)} {_n(y)}" for position, (x, y) in enumerate(points))
        self._marks.append(f'<path d="{steps}{" Z" if closed else ""}"{_class(kind)}/>')

    def render(self) -> str:
        """The picture as one element."""
        return self._head + "".join(self._marks) + "</svg>"


class Days:
    """A linear scale from dates to coordinates."""

    def __init__(self, first: date, last: date, left: float, right: float) -> None:
        self._first, self._days = first, (last - first).days
        self._left, self._right = left, right

    def at(self, day: date) -> float:
        """The coordinate of `day`."""
        return self._left + (day - self._first).days / self._days * (self._right - self._left)


def steps(highest: float, most: int = 5) -> list[int]:
    """Round axis values from 0 up to at least `highest`, at most `most` intervals."""
    for size in (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000):
        if highest <= size * most:
            count = -(-int(highest) // size)
            return [size * step for step in range(max(count, 1) + 1)]
    raise ValueError(f"{highest} is more than this axis can show")


def standalone(picture: str) -> str:
    """The picture as a file of its own, with the style that a page would bring."""
    head, mark, rest = picture.partition("</desc>")
    return f"{head}{mark}<style>{STYLE}</style>{rest}\n"


def embedded(file: str) -> str:
    """The picture in a stand-alone file, without its style: the page has it already."""
    head, _, rest = file.strip().partition("<style>")
    return head + rest.partition("</style>")[2]


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
