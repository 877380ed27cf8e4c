"""What a scenario's `fit` asks of its model and patients, and the population that its `prior` names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..errors import TwinError, suggest
from ..files.document import Location
from ..model.extension import Column, add_columns
from ..result.population import load_population, place_of

if TYPE_CHECKING:
    from pathlib import Path

    from ..model import DiseaseModel
    from ..patient import BoundPatient
    from .fit_entry import FitEntry, SitesEntry

Found = tuple[Location, str]


def know_sites(model: DiseaseModel, said: SitesEntry) -> DiseaseModel:
    """The model with a covariate that says the site, where it has none: a number, or one of the levels."""
    if said.by in model.covariates():
        if said.levels:
            raise TwinError(f"the model knows '{said.by}' already; leave levels out")
        return model
    levels = tuple(said.levels or ())
    return add_columns(model, [Column(said.by, levels=levels, reference=levels[0] if levels else 1.0)])


def load_prior(path: Path, model: DiseaseModel) -> DiseaseModel:
    """The fitted model that a scenario's patients are of; it must be one of the scenario's model."""
    fitted = load_population(path)
    if fitted.name != model.name:
        raise TwinError(
            f"is a population of '{fitted.name}', and the scenario's model is '{model.name}'; name another of the two"
        )
    return fitted


def fingerprint(path: Path) -> str:
    """The SHA-256 of what describes a stored population."""
    place = place_of(path)
    return hashlib.sha256((place if place.is_file() else place / "zarr.json").read_bytes()).hexdigest()


def problems_of(entry: FitEntry, model: DiseaseModel, patients: Sequence[BoundPatient]) -> Iterator[Found]:
    """Everything wrong with a fit that can be known before anything is solved, and where it stands."""
    declared = model.parameters()
    for place, name in _names(entry):
        if name not in declared:
            yield place, f"no parameter '{name}'; {suggest(name, declared)}"
    known = model.covariates()
    for place, name in _covariates(entry):
        if name not in known:
            yield place, f"no covariate '{name}'; {suggest(name, known)}"
    silent = [one.id for one in patients if not one.observations]
    if patients and len(silent) == len(patients):
        yield (), "no patient has measurements, so nothing can be estimated; give some"
    elif silent:
        more = f" (and {len(silent) - 1} more)" if len(silent) > 1 else ""
        yield (), f"patient '{silent[0]}'{more} has no measurements, and so says nothing; leave out whoever has none"
    if entry.sites is not None:
        lost = [one.id for one in patients if entry.sites.by in one.assumed]
        if lost:
            yield ("sites", "by"), f"'{entry.sites.by}' is not given of patient '{lost[0]}'; say the site of everybody"


def _names(entry: FitEntry) -> Iterator[tuple[Location, str]]:
    for key in ("effects", "estimate", "fix", "fix_spread"):
        yield from (((key, i), name) for i, name in enumerate(getattr(entry, key) or []))
    for i, group in enumerate(entry.correlated if isinstance(entry.correlated, list) else []):
        yield from (((("correlated", i, j)), name) for j, name in enumerate(group))
    for key in ("sites", "mixture"):
        part = getattr(entry, key)
        yield from (((key, "of", i), name) for i, name in enumerate(part.of if part else []))
    searched = (entry.search.parameters if entry.search else None) or ()
    yield from ((("search", "parameters", i), name) for i, name in enumerate(searched))
    yield from ((("priors", "values", name), name) for name in (entry.priors.values if entry.priors else {}))


def _covariates(entry: FitEntry) -> Iterator[tuple[Location, str]]:
    if entry.bootstrap_by is not None:
        yield ("bootstrap_by",), entry.bootstrap_by
    if entry.search is not None:
        yield from ((("search", "covariates", i), name) for i, name in enumerate(entry.search.covariates or ()))
        yield from ((("search", "forms", name), name) for name in entry.search.forms)
