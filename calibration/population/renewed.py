"""The model with the numbers of a fit: what simulates the population, and is the prior of patients to come."""

from __future__ import annotations

import numpy as np

from twin.model import DiseaseModel
from twin.model.extension import renew
from twin.population.individual import cholesky

from .cloud import numbers_of
from .statement import Numbers, Statement


def renew_model(
    statement: Statement, x: np.ndarray, draws: np.ndarray | None = None, *, group: int = 0, source: str = ""
) -> DiseaseModel:
    """The statement's model with the population of a vector; `draws` (draw, number) are equally likely others.

    Patients come from sites that nobody knows, so sites' variance is among that between patients.
    """
    numbers, model = numbers_of(statement, x), statement.model
    names, _ = cholesky(model)
    covariance = _covariance(statement, numbers, names)
    sds = np.sqrt(np.diagonal(covariance))
    pairs = {
        (names[i], names[j]): float(covariance[i, j] / (sds[i] * sds[j]))
        for i in range(len(names)) for j in range(i) if abs(covariance[i, j]) > 1e-14
    }  # fmt: skip
    table = None
    if draws is not None:
        several = [numbers_of(statement, one) for one in draws]
        factors = [np.linalg.cholesky(_covariance(statement, one, names)) / sds[:, None] for one in several]
        typical = [_typical(statement, one, group) for one in several]
        table = {
            "typical": {n: np.array([one[n] for one in typical]) for n in typical[0]},
            "factors": np.array(factors),
        }
    fitted = {c.parameter for c in statement.coordinates} | set(statement.effects)
    return renew(
        model, typical=_typical(statement, numbers, group),
        sds={n: float(sd) for n, sd in zip(names, sds, strict=True) if n in fitted}, correlations=pairs, draws=table,
        source=source,
    )  # fmt: skip


def _typical(statement: Statement, numbers: Numbers, group: int) -> dict[str, float]:
    """Estimated typical values, of one class."""
    declared, found = statement.model.parameters(), {}
    for name in statement.estimated:
        value = float(numbers.typical[name])
        if name in statement.effects and group:
            spread, shift = declared[name].spread, numbers.shift[group, statement.effects.index(name)]
            assert spread is not None
            value = float(spread.from_normal(spread.to_normal(np.float64(value)) + shift))
        found[name] = value
    return found


def _covariance(statement: Statement, numbers: Numbers, names: tuple[str, ...]) -> np.ndarray:
    """Of all parameters that vary, on their normal scales: as fitted, and as declared where nothing was."""
    model, size = statement.model, len(names)
    declared = model.parameters()
    sds = np.array([declared[n].spread.normal_sd or 1.0 for n in names])  # type: ignore[union-attr]
    _, root = cholesky(model)
    found = (root @ root.T) * np.outer(sds, sds)
    kappas = {n for several in model.occasions.values() for n in several}
    own = [names.index(n) for n in statement.effects]
    rest = [i for i in range(size) if i not in own and names[i] not in kappas]
    found[np.ix_(own, rest)] = found[np.ix_(rest, own)] = 0.0
    found[np.ix_(own, own)] = numbers.omega + numbers.site
    several = [(k, statement.effects.index(n), names.index(kappa))
               for n, kappas_of in model.occasions.items() for k, kappa in enumerate(kappas_of)]  # fmt: skip
    for k, a, i in several:
        for l, b, j in several:  # noqa: E741
            found[i, j] = numbers.gamma[a, b] if k == l else 0.0
    return found
