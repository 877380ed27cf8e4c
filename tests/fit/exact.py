"""The likelihood of six published fits in NumPy and SciPy alone: closed-form courses, Newton modes, quadrature.

    at = exact.warfarin10(shared_data)                 # the data, read here by itself
    at.minus_two_ll(WARFARIN10)                        # in full, at any `Fitted`
    at.modes(WARFARIN10)                               # (patient, effect), and their covariances
    at.moments(WARFARIN10)                             # exact conditional means and sds

Nothing of the engine is used but the numbers' class. An `Integrand` says what one patient's effects `b`, (node, effect)
on the scale on which they are normal, make of that patient's data; everything else is adaptive Gauss-Hermite.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.special import log_ndtr

from .numbers import NORMAL, Fitted

# What is known of b, (node, effect), a point and a patient's data: log p(data | b), by node.
LogLikelihood = Callable[[np.ndarray, Fitted, "Record"], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Record:
    """A patient's data: when, what, and whether it lies below (-1), above (1) or at the value (0)."""

    id: str
    time: np.ndarray
    value: np.ndarray
    bound: np.ndarray


@dataclasses.dataclass(frozen=True)
class Exact:
    """A fit's data and likelihood. `covariance` is that of all effects together, (effect, effect)."""

    records: Sequence[Record]
    log_likelihood: LogLikelihood
    covariance: Callable[[Fitted], np.ndarray]
    nodes: int = 9

    def joint(self, b: np.ndarray, point: Fitted, record: Record) -> np.ndarray:
        """log p(data, b) at each of (node, effect)."""
        cov = self.covariance(point)
        quadratic = np.einsum("ni,ni->n", b, np.linalg.solve(cov, b.T).T)
        density = -0.5 * (quadratic + np.linalg.slogdet(cov)[1] + len(cov) * NORMAL)
        return self.log_likelihood(b, point, record) + density

    def mode(self, point: Fitted, record: Record) -> tuple[np.ndarray, np.ndarray]:
        """The most probable effects, and the inverse of the negative Hessian there; from several starts."""
        sd = np.sqrt(np.diag(self.covariance(point)))
        starts = [np.zeros(len(sd)), *(sign * 2 * sd * row for row in np.eye(len(sd)) for sign in (1, -1))]
        found = [_newton(lambda b: self.joint(b, point, record), start, 1e-4 * sd) for start in starts]
        return max(found, key=lambda one: one[2])[:2]

    def modes(self, point: Fitted) -> np.ndarray:
        """(patient, effect)."""
        return np.stack([self.mode(point, record)[0] for record in self.records])

    def grid(self, point: Fitted, record: Record, nodes: int) -> tuple[np.ndarray, np.ndarray]:
        """Adaptive Gauss-Hermite: effects (node, effect), and the logarithms of what each adds to the integral."""
        centre, cov = self.mode(point, record)
        x, w = np.polynomial.hermite_e.hermegauss(nodes)
        z = np.array(list(itertools.product(x, repeat=len(centre))))
        log_w = np.log(np.array(list(itertools.product(w, repeat=len(centre))))).sum(1)
        root = np.linalg.cholesky(cov)
        b = centre + z @ root.T
        volume = np.log(np.diag(root)).sum()
        return b, log_w + 0.5 * (z**2).sum(1) + volume + self.joint(b, point, record)

    def minus_two_ll(self, point: Fitted, nodes: int | None = None) -> float:
        """-2 log likelihood in full; one node is Laplace's."""
        return -2 * sum(_log_sum(self.grid(point, r, nodes or self.nodes)[1]) for r in self.records)

    def moments(self, point: Fitted, nodes: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Exact conditional means and standard deviations, (patient, effect)."""
        means, sds = [], []
        for record in self.records:
            b, terms = self.grid(point, record, nodes or self.nodes)
            share = np.exp(terms - _log_sum(terms))
            means.append(share @ b)
            sds.append(np.sqrt(share @ (b - means[-1]) ** 2))
        return np.stack(means), np.stack(sds)


def _log_sum(terms: np.ndarray) -> float:
    top = terms.max()
    return float(top + np.log(np.exp(terms - top).sum()))


def _newton(f: Callable, start: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """A maximum, the inverse of the negative Hessian there, and the height: damped Newton by central differences."""
    b, height = start, f(start[None])[0]
    for _ in range(100):
        slope, bend = _differences(f, b, step)
        values, vectors = np.linalg.eigh(bend * np.outer(step, step))  # in units of the steps, so that scales are alike
        move = step * (vectors @ ((vectors.T @ (slope * step)) / np.maximum(np.abs(values), 1e-12)))
        damp = 0.5 ** np.arange(25)
        with np.errstate(all="ignore"):  # a step too far is tried, too
            tried = np.nan_to_num(f(b + damp[:, None] * move), nan=-np.inf)
        best = int(np.argmax(tried))
        if not tried[best] > height + 1e-12 * abs(height):
            break
        b, height = b + damp[best] * move, tried[best]
    return b, np.linalg.inv(_differences(f, b, step)[1]), float(height)


def _differences(f: Callable, b: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gradient and the negative Hessian, by central differences."""
    size = len(b)
    unit = np.diag(step)
    up, down, here = f(b + unit), f(b - unit), f(b[None])[0]
    bend = np.diag((2 * here - up - down) / step**2)
    for i, j in itertools.combinations(range(size), 2):
        corners = f(b + np.stack([unit[i] + unit[j], unit[i] - unit[j], unit[j] - unit[i], -unit[i] - unit[j]]))
        bend[i, j] = bend[j, i] = -(corners[0] - corners[1] - corners[2] + corners[3]) / (4 * step[i] * step[j])
    return (up - down) / (2 * step), bend


# --- courses ------------------------------------------------------------------------------------------


def oral(time: np.ndarray, dose: float, k: np.ndarray, volume: np.ndarray, absorption: np.ndarray) -> np.ndarray:
    """Concentrations (node, time) of one compartment after one oral dose; parameters have a node each."""
    k, volume, absorption = k[:, None], volume[:, None], absorption[:, None]
    past = np.maximum(time, 0.0)
    return dose / volume * absorption / (absorption - k) * (np.exp(-k * past) - np.exp(-absorption * past))


def oral_twice(
    time: np.ndarray, first: np.ndarray, second: np.ndarray, volume: np.ndarray, ka: np.ndarray
) -> np.ndarray:
    """Two doses of 100, at 0 and 120, with a clearance from each on (node); the value at 120 is the first's."""
    early = oral(time, 100.0, first / volume, volume, ka)
    past, k = np.maximum(time - 120.0, 0.0), (second / volume)[:, None]
    central = oral(np.array([120.0]), 100.0, first / volume, volume, ka)
    depot = (100 * np.exp(-ka * 120.0) / volume)[:, None]
    rate = ka[:, None]
    absorbed = depot * rate / (rate - k) * (np.exp(-k * past) - np.exp(-rate * past))
    late = central * np.exp(-k * past) + absorbed + oral(time - 120.0, 100.0, second / volume, volume, ka)
    return np.where(time > 120.0, late, early)


def read_normally(record: Record, true: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """log p of measurements with normal errors, those below or above a limit included."""
    z = (record.value - true) / sd
    read = -0.5 * (z**2 + NORMAL) - np.log(sd)
    return np.where(record.bound == 0, read, log_ndtr(np.where(record.bound < 0, z, -z))).sum(1)


def _typical(point: Fitted, names: str) -> np.ndarray:
    return np.array([point.typical[name] for name in names.split()])


def _diagonal(names: str) -> Callable[[Fitted], np.ndarray]:
    return lambda point: np.diag([point.variances[name] for name in names.split()])


ORAL = "clearance volume absorption"


def _oral_likelihood(b: np.ndarray, point: Fitted, record: Record) -> np.ndarray:
    clearance, volume, ka = (_typical(point, ORAL) * np.exp(b)).T
    true = oral(record.time, 100.0, clearance / volume, volume, ka)
    return read_normally(record, true, point.typical["error"] * true)


def _occasion_likelihood(b: np.ndarray, point: Fitted, record: Record) -> np.ndarray:
    """b: effect and deviation of clearance together in each occasion, then volume and absorption."""
    names = "clearance clearance volume absorption"
    first, second, volume, ka = (_typical(point, names) * np.exp(b)).T
    true = oral_twice(record.time, first, second, volume, ka)
    return read_normally(record, true, point.typical["error"] * true)


def _occasion_covariance(point: Fitted) -> np.ndarray:
    own, between = point.variances["clearance"], point.occasion_variances["clearance"]
    found = np.diag([own + between, own + between, point.variances["volume"], point.variances["absorption"]])
    found[0, 1] = found[1, 0] = own
    return found


def _orange_likelihood(b: np.ndarray, point: Fitted, record: Record) -> np.ndarray:
    asymptote, middle, scale = _typical(point, "asymptote middle scale")
    true = (asymptote + b) / (1 + np.exp(-(record.time - middle) / scale))
    return read_normally(record, true, np.full_like(true, point.typical["error"]))


def _rats_likelihood(b: np.ndarray, point: Fitted, record: Record) -> np.ndarray:
    weight, growth = (_typical(point, "weight growth") + b).T[..., None]
    true = weight + growth * (record.time - 22)
    return read_normally(record, true, np.full_like(true, point.typical["error"]))


def _rats_covariance(point: Fitted) -> np.ndarray:
    found, alike = _diagonal("weight growth")(point), point.correlations.get(("weight", "growth"), 0.0)
    found[0, 1] = found[1, 0] = alike * np.sqrt(found[0, 0] * found[1, 1])
    return found


def _event_likelihood(cumulative: Callable, log_hazard: Callable) -> LogLikelihood:
    def found(b: np.ndarray, point: Fitted, record: Record) -> np.ndarray:
        return (record.value * log_hazard(b, point, record.time) - cumulative(b, point, record.time)).sum(1)

    return found


def _log_shape(b: np.ndarray, point: Fitted) -> np.ndarray:
    return point.typical["shape"] * np.exp(b)


_exponential = _event_likelihood(
    lambda b, point, t: point.typical["rate"] * np.exp(b) * t,
    lambda b, point, t: np.log(point.typical["rate"]) + b + 0 * t,
)
_weibull = _event_likelihood(
    lambda b, point, t: (t / point.typical["scale"]) ** _log_shape(b, point),
    lambda b, point, t: (
        np.log(_log_shape(b, point) / point.typical["scale"])
        + (_log_shape(b, point) - 1) * np.log(t / point.typical["scale"])
    ),
)

# --- data, read here by itself ------------------------------------------------------------------------


def _table(path: Path) -> list[Record]:
    """The readings of a NONMEM table, by ID in order."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["EVID"] == "0"]
    found = []
    for name in dict.fromkeys(row["ID"] for row in rows):
        own = [(float(r["TIME"]), float(r["DV"]), -float(r.get("CENS", 0))) for r in rows if r["ID"] == name]
        found.append(Record(name, *np.array(own).T))
    return found


def _listed(path: Path, word: str) -> list[Record]:
    told = json.loads(path.read_text())
    x = np.array(told["x"], float)
    return [Record(str(i), x, np.array(y, float), 0 * x) for i, y in enumerate(told[word], start=1)]


def warfarin10(data: Path) -> Exact:
    records = _table(data / "population/pop_warfarin10/warfarin.csv")
    return Exact(records, _oral_likelihood, _diagonal(ORAL))


def warfarin_m3(data: Path) -> Exact:
    records = _table(data / "population/pop_warfarin_m3/warfarin_bloq.csv")
    return Exact(records, _oral_likelihood, _diagonal(ORAL))


def warfarin_iov(data: Path) -> Exact:
    """Effects: log clearance in each occasion (its patient's effect included), log volume, log absorption."""
    records = _table(data / "population/pop_warfarin_iov/warfarin_iov.csv")
    return Exact(records, _occasion_likelihood, _occasion_covariance)


def orange(data: Path) -> Exact:
    return Exact(
        _listed(data / "population/pop_orange/orange.data.json", "Y"), _orange_likelihood, _diagonal("asymptote")
    )


def rats(data: Path) -> Exact:
    return Exact(_listed(data / "population/pop_rats/rats.data.json", "y"), _rats_likelihood, _rats_covariance)


def exponential(data: Path) -> Exact:
    return Exact(_table(data / "population/pop_frailty_tte/tte_exp.csv"), _exponential, _diagonal("rate"), nodes=41)


def weibull(data: Path) -> Exact:
    return Exact(_table(data / "population/pop_frailty_tte/tte_weibull.csv"), _weibull, _diagonal("shape"), nodes=61)


# --- closed form --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Linear:
    """y = design (typical + b) + e for every patient alike: everything in closed form."""

    minus_two_ll: float
    means: np.ndarray  # (patient, effect), of b
    covariance: np.ndarray  # (effect, effect), the same for all


def rats_in_closed_form(data: Path, point: Fitted) -> Linear:
    """The marginal likelihood of the rats, and each rat's posterior."""
    records = rats(data).records
    design = np.stack([np.ones(5), records[0].time - 22], 1)
    cov, error = _rats_covariance(point), point.typical["error"] ** 2
    marginal = design @ cov @ design.T + error * np.eye(5)
    rest = np.stack([r.value for r in records]) - design @ _typical(point, "weight growth")
    weighted = np.linalg.solve(marginal, rest.T).T
    deviance = (rest * weighted).sum() + len(rest) * (np.linalg.slogdet(marginal)[1] + 5 * NORMAL)
    posterior = np.linalg.inv(np.linalg.inv(cov) + design.T @ design / error)
    return Linear(float(deviance), weighted @ design @ cov, posterior)
