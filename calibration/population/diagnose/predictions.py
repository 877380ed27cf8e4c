"""What a fit predicts of each measurement: of a typical person, of the patient, and of replicates of the data."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import numpy as np

from twin.errors import TwinError
from twin.model.noise import Noise

from ...check.replicates import replicates
from ...target import Target
from ..climb import Top
from ..cloud import Sky
from .draws import draw_people, draw_population, middles, typical

_STEP = 0.03  # standard deviations, to both sides: slopes of courses, as far as solvers are smooth
_OWN = 254  # draws of each patient's own numbers, at least (what fills rows of draws up is free)
_ROW = 128


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What is predicted of the measurements of a fit's patients; arrays are (patient, ..., measurement), padded."""

    sky: Sky
    top: Top
    seed: int = 0
    count: int = 1000  # replicated data sets

    @functools.cached_property
    def target(self) -> Target:
        """The patients under the population that was found."""
        return self.sky.believe(self.top.x)

    @property
    def names(self) -> tuple[str, ...]:
        return self.target.seen

    @property
    def numbers(self) -> tuple[str, ...]:
        """Those whose measurements are numbers; classes and events have no percentiles."""
        return tuple(n for n in self.names if type(self.target.noise(n)).cumulative is not Noise.cumulative)

    @functools.cached_property
    def places(self) -> dict[str, np.ndarray]:
        """The numbers of those whose courses are looked at (patient, place, number)."""
        middle, size = middles(self.sky, self.top), self.target.prior.size
        step = _STEP * np.concatenate([np.eye(size), -np.eye(size)])
        shown = 2 + 2 * size
        own = draw_people(self.sky, self.top, -(-(shown + _OWN) // _ROW) * _ROW - shown, self.seed)
        return {
            "typical": typical(self.sky, self.top.x)[:, None], "middle": middle[:, None],
            "aside": middle[:, None] + step, "own": own,
        }  # fmt: skip

    @functools.cached_property
    def _looks(self) -> dict[str, dict[str, dict[str, np.ndarray]]]:
        """What there is to see at `places`: by kind of place, observable, and word."""
        places = self.places
        with jax.enable_x64(True):
            found = self.target.of_draws(
                "looks", lambda features, data, u, keys: _look(self.target, features, data),
                np.concatenate(list(places.values()), axis=1),
            )  # fmt: skip
        ends = np.cumsum([one.shape[1] for one in places.values()])[:-1]
        split = jax.tree.map(lambda x: dict(zip(places, np.split(x, ends, axis=1), strict=True)), found)
        return {kind: {n: {word: split[n][word][kind] for word in split[n]} for n in self.names} for kind in places}

    def true(self, name: str, kind: str) -> np.ndarray:
        """The course of an observable where it was measured, of people of a kind: typical, middle, own."""
        return self._looks[kind][name]["true"]

    def residuals(self, name: str, kind: str = "middle") -> np.ndarray | None:
        """Errors in standard deviations; None of counts, classes and events."""
        return self._looks[kind][name].get("residual")

    def linear(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Means and standard deviations on the scale on which errors are normal (patient, measurement), and slopes of
        the means along each number (patient, number, measurement), where each patient is believed to be.
        """
        middle, aside = self._looks["middle"][name], self._looks["aside"][name]
        if "mean" not in middle:
            return None
        up, down = np.split(aside["mean"], 2, axis=1)
        return middle["mean"][:, 0], middle["sd"][:, 0], (up - down) / (2 * _STEP)

    @functools.cached_property
    def replicates(self) -> dict[str, np.ndarray]:
        """Measurements of people like each patient (patient, data set, measurement)."""
        return replicates(self.target, draw_population(self.sky, self.top.x, self.count, self.seed), self.seed)

    @functools.cached_property
    def repeats(self) -> dict[str, np.ndarray]:
        """Measurements of the patients themselves, taken again (patient, draw, measurement)."""
        return replicates(self.target, self.places["own"], self.seed + 1)


def _look(target: Target, features: dict[str, Any], data: Any) -> dict[str, dict[str, Any]]:
    found = {}
    for name in target.seen:
        seen, noise = target.measurements(name, features, data), target.noise(name)
        found[name] = {"true": seen.true}
        try:
            found[name]["residual"] = noise.residual(seen)
            mean, sd = noise.normal_form(seen.true, seen.p)
            found[name] |= {"mean": mean, "sd": sd}
        except TwinError:  # it is normal on no scale, and so has none of these
            continue
    return found
