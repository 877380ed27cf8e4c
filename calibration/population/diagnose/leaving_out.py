"""What a fit would be without each patient: by a step from where it is, and exactly, over the clouds that it has.

Nothing is solved: the other patients' clouds serve as long as the estimates do not leave where these count.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable

import numpy as np

from ..climb import Likelihood, Top, add_up, likelihood_of
from ..cloud import Sky
from ..maximise import maximise, take_step
from ..people import People

_ROOM = 3.0  # the longest first step, on the vector's scale
_SMALL = 0.3  # displacement: below it one step tells the change of the patient's log density within a tenth
_SETTLED = 1e-6  # of log density: within 0.002 standard errors of the maximum
_KEPT = 0.3  # of effective draws: with fewer, clouds no longer count where the estimates have gone


@dataclasses.dataclass(frozen=True)
class Influence:
    """What leaving each patient out changes. Rows are patients in the order of the fit."""

    patients: tuple[str, ...]
    x: np.ndarray  # the estimates without each (patient, number)
    displacement: np.ndarray  # twice what the whole log likelihood loses there: as a chi-square (patient,)
    own: np.ndarray  # the log likelihood of the patient's data by the whole fit
    elpd: np.ndarray  # and by the fit without them
    exact: np.ndarray  # maximised; otherwise by one step
    covered: np.ndarray  # whether the clouds still count there

    @property
    def total(self) -> float:
        """The log density of patients' data, each predicted from all others."""
        return float(self.elpd.sum())

    @property
    def error(self) -> float:
        """Its standard error, by how patients differ."""
        return float(np.sqrt(len(self.elpd) * self.elpd.var(ddof=1)))


@dataclasses.dataclass(frozen=True)
class Without:
    """A fit, and what it is without some."""

    sky: Sky
    top: Top
    given: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None  # `curvatures`, where somebody has them

    @functools.cached_property
    def curvatures(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log likelihoods, gradients, second derivatives of each patient where the fit ended."""
        return self.given or People(self.sky, self.top).marginal.curvatures(self.top.x)

    @functools.cached_property
    def steps(self) -> np.ndarray:
        """Towards where the fit would be without each patient (patient, number): one of Newton's."""
        _, slopes, bends = self.curvatures
        whole = self.top.maximum.curvature
        if self.sky.sites:  # curvatures of patients given their sites do not add up to that of whole sites
            bends = 0 * bends
        return np.stack([take_step(-s, whole - b, _ROOM)[0] for s, b in zip(slopes, bends, strict=True)])

    @functools.cached_property
    def displacement(self) -> np.ndarray:
        """By the curvature alone (patient,)."""
        return np.einsum("pi,ij,pj->p", self.steps, -self.top.maximum.curvature, self.steps)

    def likelihood(self, which: np.ndarray) -> Likelihood:
        """That of some patients."""
        sites = tuple(np.array(self.sky.sites)[which]) if self.sky.sites else ()
        return likelihood_of(dataclasses.replace(self.sky, sites=sites), self.top.cloud.rows(which), self.top.origin)

    def maximise(self, patient: int) -> tuple[np.ndarray, bool]:
        """The estimates without a patient, and whether the clouds still count there."""
        others = np.arange(len(self.sky.target)) != patient
        likelihood, prior, x = self.likelihood(others), self.top.log_prior, self.top.x

        def value(y: np.ndarray) -> float:
            return float(likelihood.values(y).sum()) + (prior(y)[0] if prior else 0.0)

        begin = x + self.steps[patient]
        begin = begin if value(begin) > value(x) else x
        found = maximise(lambda y: add_up(likelihood.curvatures(y), prior, y), value, begin, settled=_SETTLED)
        share = likelihood.worth(found.x).effective / likelihood.worth(x).effective
        return found.x, bool(found.settled and np.quantile(share, 0.1) > _KEPT)

    def own(self, patient: int, x: np.ndarray) -> float:
        """The log likelihood of a patient's data; of a site's patients, given the others of the site."""
        if not self.sky.sites:
            return float(self.likelihood(np.arange(len(self.sky.target)) == patient).values(x)[0])
        same = np.array(self.sky.sites) == self.sky.sites[patient]
        others = same & (np.arange(len(same)) != patient)
        less = float(self.likelihood(others).values(x).sum()) if others.any() else 0.0
        return float(self.likelihood(same).values(x).sum()) - less

    def whole(self, x: np.ndarray) -> float:
        """The log likelihood (or posterior) of all."""
        everybody = np.ones(len(self.sky.target), bool)
        value = float(self.likelihood(everybody).values(x).sum())
        return value + (self.top.log_prior(x)[0] if self.top.log_prior else 0.0)


def leave_out(sky: Sky, top: Top, which: Iterable[int] | None = None) -> Influence:
    """The fit without each patient: maximised anew for those in `which`, else by one step.

    If `which` is left out, for those whom a step does not serve.
    """
    without, count = Without(sky, top), len(sky.target)
    chosen = set(np.flatnonzero(without.displacement > _SMALL).tolist() if which is None else which)
    x, covered = top.x + without.steps, np.ones(count, bool)
    for i in chosen:
        x[i], covered[i] = without.maximise(i)
    whole = without.whole(top.x)
    displacement = np.array([
        2 * (whole - without.whole(x[i])) if i in chosen else without.displacement[i] for i in range(count)
    ])  # fmt: skip
    own, elpd = (np.array([without.own(i, y[i]) for i in range(count)]) for y in (np.tile(top.x, (count, 1)), x))
    exact = np.array([i in chosen for i in range(count)])
    return Influence(tuple(p.id for p in sky.target.patients), x, displacement, own, elpd, exact, covered)
