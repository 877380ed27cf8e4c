"""Individuals without their courses: the parameters that a run would draw for persons with these covariates."""

from __future__ import annotations

import functools
import types
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..model import DiseaseModel
from ..population.individual import cholesky, draw_individual, individual_at
from ..population.keys import patient_key, study_key
from ..solver.status import Status
from ..types import Array

_BLOCK = 65_536  # persons at once, so that one program serves any number


def draw_parameters(
    model: DiseaseModel, covariates: Mapping[str, np.ndarray], numbers: range, *, seed: int, name: str,
    deviations: Mapping[str, np.ndarray] = types.MappingProxyType({}),
    individuals: Mapping[str, np.ndarray] = types.MappingProxyType({}),
    spread: bool = True, uncertainty: bool = False,
) -> tuple[dict[str, np.ndarray], np.ndarray]:  # fmt: skip
    """Every parameter of draws `numbers` of the patient `name`, and their status; as `simulate` draws them."""
    inputs = [declared.default for declared in model.inputs().values()]
    given = {
        "signals": np.stack([covariates[n] for n in model.covariates()] + [np.full(len(numbers), v) for v in inputs], 1)
        if model.covariates() or inputs else np.zeros((len(numbers), 0)),
        "number": np.arange(numbers.start, numbers.stop, dtype=np.int32),
        "deviations": dict(deviations), "individuals": dict(individuals),
    }  # fmt: skip
    shared = {
        "population": {n: np.float64(getattr(model.typical(), n)) for n in model.parameters()},
        "key": patient_key(seed, name), "study": study_key(seed),
    }  # fmt: skip
    found = []
    with jax.enable_x64(True):
        for start in range(0, len(numbers), _BLOCK):
            part = jax.tree.map(lambda x: x[start : start + _BLOCK], given)  # noqa: B023
            short = _BLOCK - len(part["number"]) if len(numbers) > _BLOCK else 0
            part = jax.tree.map(lambda x: np.concatenate([x, np.repeat(x[-1:], short, axis=0)]), part)  # noqa: B023
            drawn = jax.device_get(_drawing(type(model), spread, uncertainty)(shared, part))
            found.append(jax.tree.map(lambda x: x[: len(x) - short], drawn))  # noqa: B023
    parameters = {n: np.concatenate([one[0][n] for one in found]) for n in model.parameters()}
    admitted = np.concatenate([one[1] for one in found])
    return parameters, np.where(admitted, Status.OK, Status.NO_PATIENT).astype(np.int8)


@functools.lru_cache(maxsize=16)
def _drawing(kind: type[DiseaseModel], spread: bool, uncertainty: bool) -> Any:
    """The compiled function (shared, persons) -> (parameters, whether one was found)."""
    model = kind()

    def one(shared: dict[str, Any], person: dict[str, Any]) -> tuple[dict[str, Array], Array]:
        key = jax.random.fold_in(jax.random.wrap_key_data(shared["key"]), person["number"])
        study = jax.random.fold_in(jax.random.wrap_key_data(shared["study"]), person["number"])
        individual_key, _, _ = jax.random.split(key, 3)  # as `program.draw_one` does
        drawn = draw_individual(
            model, cholesky(model), shared["population"], person["signals"], key=individual_key, shared_key=study,
            spread=spread, uncertainty=uncertainty,
        )  # fmt: skip
        drawn = type(drawn)(drawn.normals | person["deviations"], drawn.population, drawn.found)
        parameters = individual_at(model, drawn, person["signals"]).parameters
        values = {n: jnp.asarray(getattr(parameters, n), jnp.float64) for n in model.parameters()}
        return values | person["individuals"], drawn.found

    return jax.jit(jax.vmap(one, (None, 0)))
