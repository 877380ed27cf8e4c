"""What a fit is further asked: intervals by other kinds of uncertainty, profiles, and covariates that are searched."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from twin.errors import TwinError, suggest
from twin.scenario.fit_entry import FitEntry

from .bootstrap import groups_of
from .cloud import Sky
from .profile import Profile
from .report import names_of
from .search import Found, find_candidates
from .vectors import Vectors


@dataclasses.dataclass(frozen=True)
class Further:
    """Answers to what the fit was told to find beside the estimates, and what speaks against them."""

    vectors: tuple[Vectors, ...] = ()
    profiles: tuple[Profile, ...] = ()
    search: Found | None = None
    doubts: tuple[str, ...] = ()


def refuse_further(sky: Sky, entry: FitEntry) -> None:
    """An error for what cannot be answered, before anything is climbed."""
    names = names_of(sky.statement)
    for name in entry.profile:
        if name not in names:
            raise TwinError(f"fit, profile: the fit estimates no '{name}'; {suggest(name, names)}")
    if entry.bootstrap_by is not None:
        groups_of(sky, len(sky.target), entry.bootstrap_by)
    if entry.uncertainty == "bayes" and entry.method != "bayes":
        raise TwinError("fit, uncertainty: 'bayes' needs method: bayes; say so, or take another")
    if entry.search is not None:
        find_candidates(sky, entry.search.covariates, entry.search.parameters, entry.search.forms)


def kinds_of(entry: FitEntry) -> list[str]:
    """The kinds of uncertainty that a fit is told to find, each once."""
    told = {"bootstrap": entry.bootstrap, "sir": entry.sir, "bayes": entry.method == "bayes"}
    return list(dict.fromkeys([*(kind for kind, said in told.items() if said), *filter(None, [entry.uncertainty])]))


def answer_further(fit: Any) -> Further:
    """Everything that the entry of a `PopulationFit` asks for; what could not be had is a doubt, the rest is kept."""
    doubts: list[str] = []

    def attempt(answer: Callable[[str], Any], names: list[str]) -> tuple[Any, ...]:
        found = []
        for name in names:
            try:
                found.append(answer(name))
                doubts.extend(found[-1].doubts)
            except TwinError as error:
                doubts.append(str(error))
        return tuple(found)

    vectors = attempt(fit.vectors, kinds_of(fit.entry))
    profiles = attempt(fit.profile, list(dict.fromkeys(fit.entry.profile)))
    said = fit.entry.search
    search = fit.search(**said.model_dump()) if said else None
    return Further(vectors, profiles, search, tuple(doubts))
