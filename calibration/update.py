"""update(): a posterior and new measurements -> the posterior of both, and whether the new ones were to be expected.

    later = calibration.update(posterior, {"ida": [Observation("inr", "12 day", 3.1)]})
    later.stats["drift"]       # small: the patient is no longer who they were, or the data are wrong

The draws there are, reweighted by the new measurements, tell where the new posterior is; importance sampling of the
whole posterior from there gives fresh draws with the same diagnostics as a calibration from nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from twin.errors import TwinError, suggest
from twin.patient import BoundPatient, DoseRecord, Measured, Observation, Patient

from .ladder import climb, surprise
from .method import importance
from .method.pareto import smooth
from .posterior import Posterior


def update(
    posterior: Posterior,
    observations: Mapping[str, Sequence[Observation]],
    *,
    doses: Mapping[str, Sequence[DoseRecord]] | None = None,
    draws: int | None = None,
    seed: int | None = None,
    time_zero: Mapping[str, str] | None = None,
) -> Posterior:
    """The posterior with more measurements, and doses since, by patient; patients who are not named stay as they are.

    Times are numbers or text such as '12 day'; dates need the patient's `time_zero`, as in their file.
    """
    zeros = time_zero or {}
    doses = doses or {}
    known = [p.id for p in posterior.patients]
    for name in [*observations, *doses]:
        if name not in known:
            raise TwinError(f"the posterior is of no patient '{name}'; {suggest(name, known)}")
    with jax.enable_x64(True):
        more = [
            _more(posterior, p, Patient(p.id, observations=observations.get(p.id, ()), doses=doses.get(p.id, ()),
                                        time_zero=zeros.get(p.id)))
            for p in posterior.patients
        ]  # fmt: skip
        later = posterior.target.of([whole for whole, _ in more])
        new = posterior.target.of([alone for _, alone in more])
        seed = posterior.seed + 1 if seed is None else seed
        draws = draws or posterior.draws
        gained = (
            new.of_draws("likelihood", lambda f, d, u, k: new.likelihood_of(f, d), posterior.u) if new.seen else 0.0
        )
        weights, k = smooth(np.zeros(posterior.u.shape[:2]) + gained)
        guess = importance.fit_guess(posterior.u, weights)
        found = climb(later, method="auto", draws=draws, seed=seed, guess=guess)
        return found.with_stats(drift=surprise(new, posterior.u, seed), reweighting_k=k)


def _more(posterior: Posterior, patient: BoundPatient, news: Patient) -> tuple[BoundPatient, BoundPatient]:
    """A patient with all measurements, and with the new ones alone."""
    said = news.bind(posterior.model)
    whole = {(o.observable, o.time): o for o in (*patient.observations, *said.observations)}
    if len(whole) < len(patient.observations) + len(said.observations):
        raise TwinError(f"patient '{patient.id}': a measurement is given again; update with new ones only")
    given = tuple(dataclasses.replace(d, record=i) for i, d in enumerate((*patient.doses, *said.doses)))
    ordered: tuple[Measured, ...] = tuple(sorted(whole.values(), key=lambda o: o.time))
    return (
        dataclasses.replace(patient, observations=ordered, doses=given),
        dataclasses.replace(patient, observations=said.observations, doses=given),
    )
