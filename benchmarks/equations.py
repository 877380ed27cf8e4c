"""The workloads' equations written out by hand, apart from the engine: for references and for other tools.

A function takes and returns tuples of scalars and does arithmetic only, so that NumPy, JAX, numba and symbols
all can run it. Nothing here imports the engine: the workers of other tools run in environments without it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Numbers = tuple[Any, ...]


def oral_start(p: Numbers) -> Numbers:
    return (0.0, 0.0, 0.0)


def oral_rates(y: Numbers, p: Numbers, infusion: Any) -> Numbers:
    depot, central, peripheral = y
    clearance, volume, exchange, peripheral_volume, absorption = p
    return (
        -absorption * depot,
        absorption * depot - (clearance + exchange) / volume * central + exchange / peripheral_volume * peripheral,
        exchange / volume * central - exchange / peripheral_volume * peripheral,
    )


def oral_outputs(y: Numbers, p: Numbers) -> Numbers:
    return (y[1] / p[1],)


def marrow_start(p: Numbers) -> Numbers:
    baseline = p[2]
    return (0.0, 0.0, 0.0, baseline, baseline, baseline, baseline, baseline)


def marrow_rates(y: Numbers, p: Numbers, infusion: Any) -> Numbers:
    c1, c2, c3, proliferating, t1, t2, t3, circulating = y
    clearance, volume, baseline, maturation_time, gamma, largest, half = p
    k12, k21, k13, k31 = 1.07, 1.74, 1.28, 0.0787
    c = c1 / volume * (1000 / 807.88)
    effect = largest * c / (half + c)
    rate = 4 / maturation_time
    feedback = (baseline / circulating) ** gamma
    return (
        infusion - (clearance / volume + k12 + k13) * c1 + k21 * c2 + k31 * c3,
        k12 * c1 - k21 * c2,
        k13 * c1 - k31 * c3,
        rate * proliferating * ((1 - effect) * feedback - 1),
        rate * (proliferating - t1),
        rate * (t1 - t2),
        rate * (t2 - t3),
        rate * (t3 - circulating),
    )


def marrow_outputs(y: Numbers, p: Numbers) -> Numbers:
    return (y[7],)


def binding_start(p: Numbers) -> Numbers:
    return (0.0, 0.0, 0.0, p[3], 0.0)


def binding_rates(y: Numbers, p: Numbers, infusion: Any) -> Numbers:
    depot, ligand, tissue, receptor, bound = y
    absorption, clearance, volume, receptor_at_rest, internalisation = p
    exchange, tissue_volume, kdeg, kon, koff = 0.5, 2.5, 2.0, 100.0, 5.0
    binding = kon * ligand * receptor - koff * bound
    return (
        -absorption * depot,
        absorption * depot / volume - (clearance + exchange) / volume * ligand + exchange / volume * tissue - binding,
        exchange / tissue_volume * (ligand - tissue),
        kdeg * receptor_at_rest - kdeg * receptor - binding,
        binding - internalisation * bound,
    )


def binding_outputs(y: Numbers, p: Numbers) -> Numbers:
    return (y[1], y[3])


def lorenz_start(p: Numbers) -> Numbers:
    return (1.0, 0.0, 0.0)


def lorenz_rates(y: Numbers, p: Numbers, infusion: Any) -> Numbers:
    a, b, c = y
    sigma, beta = 10.0, 8 / 3
    return (sigma * (b - a), p[0] * a - b - a * c, a * b - beta * c)


def lorenz_outputs(y: Numbers, p: Numbers) -> Numbers:
    return (y[0], y[1], y[2])


@dataclasses.dataclass(frozen=True)
class Stretch:
    """A piece of the course without a jump inside: what is added at its begin, and what flows in during it."""

    begin: float
    end: float
    bolus: float
    infusion: float
    samples: tuple[float, ...]  # in (begin, end]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A workload as any tool needs it. Doses go into the first state: (time, amount, hours or 0)."""

    start: Callable[[Numbers], Numbers]
    rates: Callable[[Numbers, Numbers, Any], Numbers]
    outputs: Callable[[Numbers, Numbers], Numbers]
    times: np.ndarray  # at which the outputs are wanted, before a dose of that time
    watched: np.ndarray  # at which an output's largest value is looked for, the scale of its error
    doses: tuple[tuple[float, float, float], ...]
    states: int
    linear: bool = False
    stiff: bool = False

    @property
    def samples(self) -> tuple[float, ...]:
        return tuple(float(t) for t in self.times)

    def stretches(self) -> Iterator[Stretch]:
        """The course cut at every dose and at every end of an infusion."""
        end = self.samples[-1]
        edges = {0.0, end}
        for time, _, length in self.doses:
            edges |= {time, time + length}
        cuts = sorted(edge for edge in edges if edge <= end)
        for begin, until in itertools.pairwise(cuts):
            yield Stretch(
                begin,
                until,
                bolus=sum(amount for time, amount, length in self.doses if time == begin and not length),
                infusion=sum(a / length for time, a, length in self.doses if length and time <= begin < time + length),
                samples=tuple(t for t in self.samples if begin < t <= until),
            )


PROBLEMS = {
    "W1": Problem(
        oral_start, oral_rates, oral_outputs, 1.75 * np.arange(97), 1.75 * np.arange(97),
        tuple((12.0 * i, 100.0, 0.0) for i in range(14)), states=3, linear=True,
    ),
    "W2": Problem(
        marrow_start, marrow_rates, marrow_outputs, 24.0 * np.arange(64), 24.0 * np.arange(64),
        tuple((504.0 * i, 180.0, 1.0) for i in range(3)), states=8,
    ),
    "W3": Problem(
        binding_start, binding_rates, binding_outputs, 1.0 * np.arange(85), 1.0 * np.arange(85),
        tuple((28.0 * i, 1000.0, 0.0) for i in range(3)), states=5, stiff=True,
    ),
    "lorenz": Problem(lorenz_start, lorenz_rates, lorenz_outputs, np.array([1.0]), 0.01 * np.arange(101), (), states=3),
}  # fmt: skip
