"""The rules of an analysis: how areas are taken, which readings make the terminal slope, what a censored one counts."""

from __future__ import annotations

import dataclasses
from typing import Any

from ...errors import TwinError, suggest

AREAS = ("linear", "linear_up_log_down", "log")
BELOW = ("zero", "half", "drop")  # what a reading below its limit counts: 0, half the limit, or nothing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules:
    """How to analyse; the defaults are PKNCA's, but for a window.

    `area` is the trapezoidal rule. `window` is (from, to) after the dose, as numbers or an array a course (NaN: the
    best fit); without it the terminal slope has the best adjusted R2 of the last `points` and more readings, and of
    fits that are within `tie` of it the one of most readings. `first`, `middle` and `last` say what a reading below
    its limit counts before the first measurable value, between two, and after the last.
    """

    area: str = "linear_up_log_down"
    points: int = 3
    tie: float = 1e-4
    window: tuple[Any, Any] | None = None
    first: str = "zero"
    middle: str = "drop"
    last: str = "zero"

    def __post_init__(self):
        if self.area not in AREAS:
            raise TwinError(f"unknown area rule '{self.area}'; {suggest(str(self.area), AREAS)}")
        for name in ("first", "middle", "last"):
            if getattr(self, name) not in BELOW:
                raise TwinError(f"{name} '{getattr(self, name)}' is no rule for readings below their limit; "
                                f"{suggest(str(getattr(self, name)), BELOW)}")  # fmt: skip
        if not isinstance(self.points, int) or self.points < 3:
            raise TwinError(f"points {self.points} is too few for a terminal slope; write 3 or more")
