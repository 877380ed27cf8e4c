"""How an error is spent over the looks: spending functions, a list of one's own, and shapes of exact bounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from ...errors import TwinError, show, suggest


class Spending(ABC):
    """A rule by which an error is spent; `spend` gives what is spent by each look (..., look)."""

    @abstractmethod
    def spend(self, information: np.ndarray, error: float) -> np.ndarray:
        """The cumulative error at fractions of the planned information; NaN where no look is taken."""


@dataclass(frozen=True)
class ObrienFleming(Spending):
    """Lan and DeMets' function that gives bounds like O'Brien and Fleming's: 2 - 2 Phi(z(error / 2) / sqrt(t))."""

    def spend(self, information: np.ndarray, error: float) -> np.ndarray:
        return 2 * ndtr(ndtri(error / 2) / np.sqrt(np.minimum(information, 1.0)))


@dataclass(frozen=True)
class Pocock(Spending):
    """Lan and DeMets' function that gives bounds like Pocock's: error log(1 + (e - 1) t)."""

    def spend(self, information: np.ndarray, error: float) -> np.ndarray:
        return error * np.log1p((np.e - 1) * np.minimum(information, 1.0))


@dataclass(frozen=True)
class HwangShihDeCani(Spending):
    """error (1 - exp(-gamma t)) / (1 - exp(-gamma)): gamma -4 is like O'Brien and Fleming, 1 like Pocock, 0 even."""

    gamma: float

    def spend(self, information: np.ndarray, error: float) -> np.ndarray:
        t = np.minimum(information, 1.0)
        return error * (t if abs(self.gamma) < 1e-9 else np.expm1(-self.gamma * t) / np.expm1(-self.gamma))


@dataclass(frozen=True)
class KimDeMets(Spending):
    """error t ** rho; rho > 0."""

    rho: float

    def __post_init__(self):
        if not self.rho > 0:
            raise TwinError(f"kim_demets: rho is {self.rho}, and an error that is spent grows; give one above 0")

    def spend(self, information: np.ndarray, error: float) -> np.ndarray:
        return error * np.minimum(information, 1.0) ** self.rho


@dataclass(frozen=True)
class Listed(Spending):
    """One's own cumulative errors, one a look; that of a look not taken goes to the next."""

    errors: tuple[float, ...]

    def spend(self, information: np.ndarray, error: float) -> np.ndarray:
        if information.shape[-1] != len(self.errors):
            raise TwinError(f"spend lists {len(self.errors)} errors for {information.shape[-1]} looks; give one each")
        return np.where(np.isnan(information), np.nan, np.array(self.errors) * (error / self.errors[-1]))


@dataclass(frozen=True)
class Interpolated(Spending):
    """What was planned to be spent, straight lines between its looks: for a plan with no function of its own."""

    at: tuple[float, ...]
    shares: tuple[float, ...]

    def spend(self, information: np.ndarray, error: float) -> np.ndarray:
        return error * np.interp(information, (0.0, *self.at), (0.0, *self.shares))


@dataclass(frozen=True)
class WangTsiatis:
    """Exact bounds c t ** (delta - 1/2), where c spends the error in all: delta 0 O'Brien-Fleming, 1/2 Pocock."""

    delta: float

    def weights(self, information: np.ndarray) -> np.ndarray:
        """The bounds over that of the last look."""
        return (information / information[:, -1:]) ** (self.delta - 0.5)


Rule = Spending | WangTsiatis
_NAMES: Mapping[str, Rule] = {
    "obrien_fleming": ObrienFleming(),
    "pocock": Pocock(),
    "exact_obrien_fleming": WangTsiatis(0.0),
    "exact_pocock": WangTsiatis(0.5),
}
_FAMILIES = {"hwang_shih_decani": HwangShihDeCani, "kim_demets": KimDeMets, "wang_tsiatis": WangTsiatis}


def read_rule(spend: Any, error: float) -> Rule:
    """A rule as it is written: a name, a family with its number, Hwang-Shih-DeCani's gamma alone, or cumulative errors.

    "obrien_fleming" and "pocock" are Lan and DeMets' spending functions, as protocols mean them; "exact_obrien_fleming"
    and "exact_pocock" are the bounds of the papers, also {"wang_tsiatis": delta}.
    """
    if isinstance(spend, Spending | WangTsiatis):
        return spend
    if isinstance(spend, str):
        if spend not in _NAMES:
            raise TwinError(f"spend: '{spend}' is no rule; {suggest(spend, [*_NAMES, *_FAMILIES])}")
        return _NAMES[spend]
    if isinstance(spend, int | float) and not isinstance(spend, bool):
        return HwangShihDeCani(float(spend))
    if isinstance(spend, Mapping) and len(spend) == 1:
        ((name, number),) = spend.items()
        if name in _FAMILIES and isinstance(number, int | float):
            return _FAMILIES[name](float(number))
        raise TwinError(f"spend: {{{name}: {show(number)}}} is no family with its number; {suggest(name, _FAMILIES)}")
    if isinstance(spend, Sequence | np.ndarray) and len(spend):
        return _list([float(one) for one in spend], error)
    raise TwinError(f"spend: {show(spend)} is no rule; give a name, {{family: number}}, a number or cumulative errors")


def _list(errors: list[float], error: float) -> Listed:
    if not np.all(np.diff(errors, prepend=0.0) >= 0):
        raise TwinError(f"spend: {errors} falls, and an error that is spent cannot; give cumulative errors")
    if abs(errors[-1] - error) > 1e-4 * error:
        raise TwinError(f"spend: {errors} ends at {errors[-1]:g}, and {error:g} is to be spent; let the last be that")
    return Listed(tuple(errors))
