"""The glucose monitor: size of its error, and what it shows on average, at the published mean sensor."""

from __future__ import annotations

from tests.reference import Reference
from twin.model.noise.glucose_monitor import expected_reading, stationary_sd

SD = "stationary SD of the typical sensor's error (mg/dL)"
READINGS = {
    (120, 0): 119.457,
    (120, 5): 120.666,
    (120, 10): 118.366,
    (300, 0): 289.069,
    (300, 5): 292.092,
    (300, 10): 286.342,
}


def name(glucose: int, day: int) -> str:
    return f"expected reading at {glucose} mg/dL on day {day} (mg/dL)"


# Printed digits (0.001), and single precision where x64 is off.
REFERENCES = (
    Reference(SD, 8.1044, 0.0005, False, "CHK"),
    *(Reference(name(*case), shown, 0.001, False, "CHK") for case, shown in READINGS.items()),
)


def compute() -> dict[str, float]:
    """The same numbers from this package."""
    return {SD: float(stationary_sd()), **{name(*case): float(expected_reading(*case)) for case in READINGS}}
