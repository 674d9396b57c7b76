"""Lines over time as SVG, without scripts, styles or text within: what is to be read stands around it, in HTML."""

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from math import log10

from flask_babel import gettext

#: The space of the picture; it is stretched to its place, its lines are not.
WIDTH, HEIGHT = 600, 100

Value = float | None


@dataclass(frozen=True)
class Line:
    """One line of a plot.

    :param values: one for each step, ``None`` where there is nothing to say
    :param kind: how it is drawn: ``main``, ``second``, ``third`` or ``bad``
    """

    label: str
    values: Sequence[Value]
    kind: str = "main"


@dataclass(frozen=True)
class Plot:
    """Some lines on one scale.

    :param text: writes a value for people
    """

    name: str
    title: str
    lines: Sequence[Line]
    text: Callable[[float], str]
    note: str = ""

    @property
    def top(self) -> float:
        """The end of the scale: a round number above all values."""
        return round_up(max((value for line in self.lines for value in line.values if value is not None), default=0.0))

    @property
    def drawn(self) -> list[tuple[str, str]]:
        """Return how each line is drawn, and where it goes (the attribute ``d`` of a path)."""
        top = self.top
        return [(line.kind, path(line.values, top)) for line in self.lines]

    @property
    def summary(self) -> str:
        """Description of the picture, in a sentence."""
        parts = [f"{line.label}: {self._range(line)}" for line in self.lines]
        return f"{self.title}. {'; '.join(parts)}."

    def _range(self, line: Line) -> str:
        known = [value for value in line.values if value is not None]
        if not known:
            return "nothing"
        return gettext("at most %(most)s, last %(last)s", most=self.text(max(known)), last=self.text(known[-1]))


def path(values: Sequence[Value], top: float) -> str:
    """Return the way of a line from left to right; it breaks off where there is nothing."""
    step = WIDTH / max(1, len(values) - 1)
    words: list[str] = []
    goes_on = False
    for number, value in enumerate(values):
        if value is not None:
            x, y = number * step, HEIGHT - value / top * HEIGHT
            words.append(f"{'L' if goes_on else 'M'}{x:.1f} {y:.1f}")
            if not goes_on:
                # A line to itself is a dot, with round ends.
                words.append("h0")
        goes_on = value is not None
    return "".join(words)


def round_up(value: float) -> float:
    """Return 1, 2 or 5 times a power of ten, not below a value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value * 0.999)
