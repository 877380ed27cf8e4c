"""What is not known of a patient before the measurements asked for: draws of it, and their covariance."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import TwinError
from ..model import DiseaseModel
from ..patient import BoundPatient
from ..population.individual import cholesky, draw_individual
from ..population.keys import patient_key
from ..run.people import own_covariates
from .fisher import correlations
from .slopes import Own


def draws_of(
    model: DiseaseModel, patient: BoundPatient, row: int, given: Own, seed: int, count: int
) -> tuple[dict[str, dict[str, np.ndarray]], np.ndarray]:
    """Everything unknown of a patient in each draw, by what is given of row `row`, and its covariance.

    What is not given is drawn from the population, as `simulate` draws it.
    """
    own: dict[str, dict[str, np.ndarray]] = {
        group: {name: np.asarray(values)[row : row + 1] for name, values in given.get(group, {}).items()}
        for group in ("deviations", "individuals", "covariates")
    }
    known = {**own["deviations"], **own["individuals"]}
    count = next((v.shape[1] for v in known.values()), count)
    own["covariates"] = own_covariates(model, [patient], own["covariates"], seed, range(count))
    missing = [n for n, one in model.parameters().items() if one.spread is not None and n not in known]
    if missing:
        drawn = _prior(model, patient, own["covariates"], seed, count)
        own["deviations"] |= {name: drawn[name] for name in missing}
    own = {group: dict(sorted(values.items())) for group, values in own.items()}  # the order in which slopes have them
    unknowns = [*own["deviations"], *own["individuals"]]
    if not unknowns:
        raise TwinError(f"model '{model.name}' declares no spread, so nothing about a patient is unknown")
    if not known:
        return own, correlations(model, unknowns)
    values = np.concatenate([*own["deviations"].values(), *own["individuals"].values()])
    covariance = np.cov(values).reshape(len(unknowns), len(unknowns)) if count > 1 else np.zeros((1, 1))
    if not np.all(np.linalg.eigvalsh(covariance) > 1e-12 * np.max(np.diag(covariance))):
        raise TwinError(
            f"patient '{patient.id}': the draws have no covariance that can be inverted; give more draws than "
            "unknowns, all of which differ"
        )
    return own, covariance


def _prior(
    model: DiseaseModel, patient: BoundPatient, covariates: dict[str, np.ndarray], seed: int, count: int
) -> dict[str, np.ndarray]:
    with jax.enable_x64(True):
        inputs = [one.default for one in model.inputs().values()]
        row = np.array([*(patient.covariates[n] for n in model.covariates()), *inputs])
        signals = np.repeat(row[:, None], count, axis=1)
        for name, values in covariates.items():
            k = list(model.covariates()).index(name)
            signals[k] = np.where(np.isnan(values[0]), signals[k], values[0])
        population = {n: float(getattr(model.typical(), n)) for n in model.parameters()}
        found = _draw_many(type(model))(patient_key(seed, patient.id), population, signals.T, np.arange(count))
        normals, ok = jax.tree.map(np.asarray, found)
    if not np.all(ok):
        raise TwinError(f"patient '{patient.id}': no draw of the population's spread is a patient the model admits")
    return {name: values[None] for name, values in normals.items()}


@functools.lru_cache(maxsize=8)
def _draw_many(kind: type[DiseaseModel]) -> Any:
    def one(key: Any, population: Any, signals: Any, number: Any) -> Any:
        own = jax.random.fold_in(jax.random.wrap_key_data(key), number)
        drawn = draw_individual(
            kind(), cholesky(kind()), {n: jnp.asarray(v) for n, v in population.items()}, signals,
            key=jax.random.split(own, 3)[0], shared_key=own, spread=True, uncertainty=False,
        )  # fmt: skip
        return drawn.normals, drawn.found

    return jax.jit(jax.vmap(one, in_axes=(None, None, 0, 0)))
