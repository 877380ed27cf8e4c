"""Adaptive therapy: days until progression, with the drug for good and by the rule, as the authors published them."""

from __future__ import annotations

import functools

import numpy as np

import twin
from tests.reference import Reference
from twin.patient import Observation, Patient

MODEL = twin.load_model("adaptive_strobl2021")
# (burden, resistant share) at the start -> days to progression, continuous and adaptive, and how often the drug paused
KNOWN = {
    (0.25, 0.1): (106, 106, 0),
    (0.25, 0.01): (207, 210, 1),
    (0.25, 0.001): (296, 315, 2),
    (0.35, 0.1): (120, 120, 0),
    (0.35, 0.01): (224, 235, 1),
    (0.35, 0.001): (314, 350, 2),
    (0.45, 0.1): (139, 139, 0),
    (0.45, 0.01): (246, 266, 1),
    (0.45, 0.001): (335, 394, 2),
    (0.55, 0.1): (166, 166, 0),
    (0.55, 0.01): (273, 309, 1),
    (0.55, 0.001): (361, 452, 2),
    (0.65, 0.1): (206, 206, 0),
    (0.65, 0.01): (310, 371, 1),
    (0.65, 0.001): (397, 535, 2),
    (0.75, 0.1): (278, 278, 0),
    (0.75, 0.01): (369, 473, 1),
    (0.75, 0.001): (452, 663, 2),
}
DAYS = np.arange(0.0, 801.0)
MOST = 24  # changes of treatment that a course may have; all have as many, so that one program solves all


def said(case: tuple[float, float], how: str) -> str:
    return f"days to progression, burden {case[0]:g}, resistant {case[1]:g}, {how}"


def paused(case: tuple[float, float]) -> str:
    return f"pauses until then, burden {case[0]:g}, resistant {case[1]:g}"


REFERENCES = (
    *(
        Reference(said(case, how), days, 1.0, False, "PAPER")
        for case, known in KNOWN.items()
        for how, days in zip(("continuous", "adaptive"), known, strict=False)
    ),
    *(Reference(paused(case), pauses, 0.0, False, "PAPER") for case, (_, _, pauses) in KNOWN.items()),
)


def compute() -> dict[str, float]:
    """The same numbers from this package."""
    ours = {}
    for case, continuous, adaptive, pauses in zip(KNOWN, *therapies(tuple(KNOWN)), strict=True):
        ours |= {said(case, "continuous"): continuous, said(case, "adaptive"): adaptive, paused(case): pauses}
    return ours


@functools.cache
def therapies(
    cases: tuple[tuple[float, float], ...], cost: float = 0.0, turnover: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Days to progression of tumours under the drug for ever and under the rule, and how often the rule paused."""
    schedules = [[(0.0, 1.0)] for _ in cases]
    sizes, continuous = courses(cases, schedules, cost, turnover)
    adaptive = continuous
    while any(found := [next_change(*both) for both in zip(sizes, schedules, strict=True)]):
        schedules = [s if new is None else [*s, new] for s, new in zip(schedules, found, strict=True)]
        sizes, adaptive = courses(cases, schedules, cost, turnover)
    pauses = [
        sum(not on for day, on in schedule if day < end) for schedule, end in zip(schedules, adaptive, strict=True)
    ]
    return continuous, adaptive, np.array(pauses)


def next_change(size: np.ndarray, schedule: list[tuple[float, float]]) -> tuple[float, float] | None:
    """What the rule changes next, looked at once a day: off below half the size at the start, on above it."""
    since, on = schedule[-1]
    for day in DAYS[since < DAYS]:
        now = size[int(day)]
        if now > 1.2:  # progression: nothing is changed any more
            return None
        if (on and now < 0.5) or (not on and now > 1.0):
            return (float(day), 1.0 - on)
    return None


def courses(cases, schedules, cost, turnover) -> tuple[np.ndarray, np.ndarray]:
    """Size over that at the start on each day (case, day), and the day of progression, under these schedules."""
    result = twin.simulate(
        MODEL.with_values(cost=cost, turnover=turnover),
        [Patient(str(i), inputs={"drug": padded(schedule)}) for i, schedule in enumerate(schedules)],
        regimens={"as scheduled": None},
        outcomes=["progression_time"],
        draws=1,
        spread=False,
        individuals={
            name: np.array([[case[i]] for case in cases])
            for i, name in enumerate(("burden_before", "resistant_before"))
        },
        times=DAYS,
        until=DAYS[-1],
    )
    sizes = 1 + result["predictions"]["burden_change"].values.reshape(len(cases), -1)
    return sizes, result["outcomes"]["progression_time"].values.ravel()


def padded(schedule: list[tuple[float, float]]) -> list[dict[str, float]]:
    """As many changes as any schedule may have, the last ones in the far future."""
    late = [(10_000.0 + i, schedule[-1][1]) for i in range(MOST + 1 - len(schedule))]
    return [{"time": day, "value": on} for day, on in [*schedule, *late]]


COURSE = ({"inputs": {"drug": [{"time": 0, "value": 1}, {"time": 40, "value": 0}]}}, np.linspace(0, 96, 25))
OUTCOMES = ("lowest_burden", "final_resistant_share", "average_psa")


def design() -> Patient:
    """Eight monthly values of PSA, five months on the drug and three off."""
    seen = [Observation("psa", 30.0 * month, 10.0) for month in range(8)]
    return Patient(
        "design", inputs={"drug": [{"time": 0.0, "value": 1.0}, {"time": 150.0, "value": 0.0}]}, observations=seen
    )
