"""What covariates know of a number: a regression whose predictions of a person never saw that person.

    found = cross_fit(gain, baseline, seed=1)
    found.predicted, found.shuffled  # (person,), and with one covariate shuffled (covariate, person)

Of every fold, four models compete on a fifth of the persons that they learn from: the mean alone, splines (what is
smooth), boosted trees (what jumps), and trees on what splines leave over.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from .baseline import Baseline
from .boosting import Bins, Boosted, boost
from .splines import Splines, fit_splines

FOLDS = 5
_PAIRED = 6  # covariates whose products count
_BLOCK = 16_384  # persons at once
_MOST_LEARNT = 20_000  # persons that a fold learns from at most

Predict = Callable[[Baseline], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class CrossFit:
    predicted: np.ndarray  # (person,)
    shuffled: np.ndarray  # (covariate, person): predictions with that covariate of somebody else


@dataclasses.dataclass(frozen=True, eq=False)
class _Model:
    mean: float
    smooth: Splines | None
    trees: Boosted | None

    def predict(self, baseline: Baseline) -> np.ndarray:
        parts = [np.arange(k, min(k + _BLOCK, len(baseline))) for k in range(0, len(baseline), _BLOCK)]
        return np.concatenate([self._predict(baseline.take(rows)) for rows in parts])

    def _predict(self, baseline: Baseline) -> np.ndarray:
        found = np.full(len(baseline), self.mean)
        if self.smooth is not None:
            found += self.smooth.predict(baseline)
        if self.trees is not None:
            found += self.trees.predict(baseline)
        return found


def fit(target: np.ndarray, baseline: Baseline, generator: np.random.Generator) -> Predict:
    """The best of the models for these persons."""
    order = generator.permutation(len(target))[:_MOST_LEARNT]
    held, learnt = np.split(order, [len(order) // 5])
    mean = float(target[learnt].mean())
    x, y = baseline.take(learnt), target[learnt] - mean
    other, wanted = baseline.take(held), target[held] - mean
    bins, none = Bins.make(x), _Model(mean, None, None)
    if not bins.columns or np.ptp(y) <= 1e-12 * max(np.abs(target[learnt]).max(), np.finfo(float).tiny):
        return none.predict
    codes, held_codes = bins.codes(x), bins.codes(other)
    trees = boost(bins, codes, y, held_codes, wanted)
    smooth = fit_splines(x, y, other, wanted, _pairs(trees))
    more = boost(bins, codes, y - smooth.predict(x), held_codes, wanted - smooth.predict(other))
    models = [none, _Model(mean, None, trees), _Model(mean, smooth, None), _Model(mean, smooth, more)]
    errors = [np.mean((target[held] - one.predict(other)) ** 2) for one in models]
    return models[int(np.argmin(errors))].predict


def _pairs(trees: Boosted) -> list[int]:
    """The covariates that trees ask for most."""
    worth: dict[int, float] = {}
    for column, one in zip(trees.bins.columns, trees.worth, strict=True):
        worth[column] = worth.get(column, 0.0) + one
    return sorted(sorted(worth, key=lambda column: -worth[column])[:_PAIRED])


def cross_fit(target: np.ndarray, baseline: Baseline, seed: int, *, shuffle: bool = True) -> CrossFit:
    """Predictions of each fifth of the persons by what is learnt from the others."""
    generator = np.random.default_rng((seed, 1))
    fold = generator.permutation(len(target)) % FOLDS
    predicted = np.empty(len(target))
    shuffled = np.empty((len(baseline.names) if shuffle else 0, len(target)))
    for k in range(FOLDS):
        inside = np.flatnonzero(fold == k)
        learnt = np.flatnonzero(fold != k)
        predict = fit(target[learnt], baseline.take(learnt), generator)
        persons = baseline.take(inside)
        predicted[inside] = predict(persons)
        for column in range(len(shuffled)):
            mixed = persons.replace(column, generator.permutation(persons.values[:, column]))
            shuffled[column, inside] = predict(mixed)
    return CrossFit(predicted, shuffled)
