"""A twin: patients as a model knows them, their histories and draws of what is not known of them; saved and loaded.

twin_of_ana = calibration.calibrate(model, ana).twin
twin.simulate(twin_of_ana, regimens={"usual": "5 mg q24h x14", "lower": "3 mg q24h x14"})
twin_of_ana.save("ana.twin"), twin.load_twin("ana.twin")
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import TwinError, suggest
from ..library import restore_model
from ..model import DiseaseModel
from ..model.extension import describe_model
from ..patient import BoundPatient, Measured
from ..quantity import Span
from ..regimen import Dose
from ..run.batch import Own
from . import dataset
from .dataset import DRAW, PATIENT, words

FILE = "twin.zarr"
_SPANS = ("time", "every", "over")


@dataclasses.dataclass(frozen=True)
class Twin:
    """Patients of a model with equally likely draws of each: name -> values (patient, draw).

    `individuals` are parameters' own values, `deviations` how far parameters are from typical in standard deviations
    of their spread, `covariates` those that are not certain. `verdict` and `reasons` say how far to trust the draws.
    """

    model: DiseaseModel
    patients: tuple[BoundPatient, ...]
    individuals: Mapping[str, np.ndarray]
    deviations: Mapping[str, np.ndarray]
    covariates: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    verdict: tuple[str, ...] = ()
    reasons: tuple[tuple[str, ...], ...] = ()
    seed: int = 0

    @property
    def draws(self) -> int:
        """How many of each patient."""
        return next(iter([*self.individuals.values(), *self.deviations.values()])).shape[1]

    @property
    def own(self) -> Own:
        """What its draws have of their own when they are simulated."""
        return Own(self.individuals, self.deviations, self.covariates)

    def of(self, *ids: str) -> Twin:
        """The twins of some of the patients, in this order."""
        known = [patient.id for patient in self.patients]
        for name in ids:
            if name not in known:
                raise TwinError(f"no twin of patient '{name}'; {suggest(name, known)}")
        rows = [known.index(name) for name in ids]
        picked = {
            group: {name: values[rows] for name, values in getattr(self, group).items()}
            for group in ("individuals", "deviations", "covariates")
        }
        told = {group: tuple(getattr(self, group)[i] for i in rows) for group in ("verdict", "reasons")}
        return dataclasses.replace(self, patients=tuple(self.patients[i] for i in rows), **picked, **told)

    def worth(self) -> xr.Dataset:
        """The verdicts and their reasons, as results have them."""
        told = {"verdict": self.verdict, "reasons": ["; ".join(reasons) for reasons in self.reasons]}
        who = {PATIENT: words(patient.id for patient in self.patients)}
        return xr.Dataset({name: (PATIENT, words(values)) for name, values in told.items()}, who)

    def save(self, folder: str | Path) -> Path:
        """Store it as Zarr, with the patients' histories: treat it as you treat these."""
        path = Path(folder)
        path = path if path.suffix == ".zarr" else path / FILE
        who = {PATIENT: words(patient.id for patient in self.patients)}
        draws = who | {DRAW: np.arange(self.draws)}
        groups = {
            f"/{group}": xr.Dataset({n: ((PATIENT, DRAW), v) for n, v in getattr(self, group).items()}, draws)
            for group in ("individuals", "deviations", "covariates")
        }
        history = {"history": (PATIENT, words(json.dumps(_as_plain(patient)) for patient in self.patients))}
        groups |= {"/patients": xr.Dataset(history, who), "/calibration": self.worth()}
        tree = xr.DataTree.from_dict(groups)
        tree.attrs = {**describe_model(self.model), "seed": self.seed}
        dataset.write(tree, path)
        return path


def load_twin(folder: str | os.PathLike[str]) -> Twin:
    """A stored twin; a result's folder holds that of the patients who were calibrated for it."""
    path = Path(folder)
    path = path if path.suffix == ".zarr" else path / FILE
    if not path.exists():
        raise TwinError(f"{path}: there is no stored twin; run 'twin calibrate', or save one")
    tree = xr.open_datatree(path, engine="zarr", chunks=None).load()
    stored, worth = tree["patients"].to_dataset(), tree["calibration"].to_dataset()
    draws = {
        group: {str(n): v.transpose(PATIENT, DRAW).values for n, v in tree[group].data_vars.items()}
        for group in ("individuals", "deviations", "covariates")
    }
    return Twin(
        restore_model(tree.attrs), tuple(_as_patient(json.loads(text)) for text in stored["history"].values), **draws,
        verdict=tuple(map(str, worth["verdict"].values)),
        reasons=tuple(tuple(filter(None, str(text).split("; "))) for text in worth["reasons"].values),
        seed=int(tree.attrs["seed"]),
    )  # fmt: skip


def _as_plain(patient: BoundPatient) -> dict[str, Any]:
    """A bound patient as JSON can hold one."""
    plain = dataclasses.asdict(patient)
    return plain | {"observations": [list(one) for one in patient.observations]}


def _as_patient(plain: dict[str, Any]) -> BoundPatient:
    pairs = lambda several: {name: tuple(map(tuple, one)) for name, one in several.items()}  # noqa: E731
    return BoundPatient(
        **plain | {
            "series": pairs(plain["series"]), "chances": pairs(plain["chances"]),
            "doses": tuple(_as_dose(dose) for dose in plain["doses"]),
            "observations": tuple(Measured(*one) for one in plain["observations"]),
            "assumed": tuple(plain["assumed"]), "warnings": tuple(plain["warnings"]),
            **{name: tuple(plain.get(name, ())) for name in ("occasions", "resets")},
        }
    )  # fmt: skip


def _as_dose(plain: dict[str, Any]) -> Dose:
    spans: dict[str, Any] = {name: Span(**plain[name]) for name in _SPANS if plain[name] is not None}
    return Dose(**plain | spans)
