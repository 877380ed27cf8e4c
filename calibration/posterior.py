"""A posterior: draws of each patient's parameters, how they were found, and whether to trust them."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from twin.errors import TwinError
from twin.model import DiseaseModel
from twin.model.extension import describe_model
from twin.patient import BoundPatient
from twin.result import dataset
from twin.result.dataset import CHAIN, DRAW, PATIENT, words
from twin.result.twin import Twin

from .method.pareto import TRUSTED
from .prior import Prior
from .target import Target

UNKNOWN = "unknown"
TRUST, CAUTION, DISTRUST = "trusted", "caution", "not trusted"
HIGHEST_RHAT, _FEWEST = 1.03, 100.0
_SMALL_SHARE = 0.05  # below it k-hat has been seen to miss the end of a curved ridge
SURPRISING, _FAR = 0.005, 0.001  # p-values below them are said

# name: (what it is)
STATS = {
    "settled": "1 where the climb to the best mode found its top, 0 where it was still climbing when it was stopped",
    "modes": "places apart where climbs from six starts have settled",
    "k_hat": "Pareto k of the importance weights (laplace: of its draws'); above 0.7 they are not believed",
    "effective_draws": "independent draws the posterior is worth (laplace: its draws, if they were weighted)",
    "share": "share of the last round's proposed draws that count (importance sampling)",
    "r_hat": "split R-hat of the worst unknown, of chains (NUTS) or groups of walkers",
    "divergences": "divergent transitions (NUTS)",
    "rounds": "rounds of importance sampling",
    "log_evidence": "log density of the patient's data under model and prior (importance sampling, else Laplace)",
    "observations": "measurements it rests on",
    "left_out": "censored measurements left out (M1)",
    "surprise": "share of replicated data less likely than the patient's own (predictive p-value)",
    "drift": "predictive p-value of the newest measurements, by the posterior before them (update)",
    "reweighting_k": "Pareto k of the draws before an update, reweighted (update)",
    "conflict": "prior probability of a patient further from the population than this one",
    "seconds": "of the whole batch",
}


@dataclasses.dataclass(frozen=True)
class Posterior:
    """Equally weighted draws of the unknowns `u` (patient, draw, unknown), and what is known of their worth."""

    target: Target
    u: np.ndarray
    method: tuple[str, ...]  # the rung each patient ended on
    stats: Mapping[str, np.ndarray]  # by name, (patient,)
    seed: int

    def with_stats(self, **more: np.ndarray) -> Posterior:
        """The same with more of what is known of its worth."""
        return dataclasses.replace(self, stats={**self.stats, **more})

    @property
    def model(self) -> DiseaseModel:
        return self.target.model

    @property
    def prior(self) -> Prior:
        return self.target.prior

    @property
    def patients(self) -> tuple[BoundPatient, ...]:
        return self.target.patients

    @functools.cached_property
    def parameters(self) -> dict[str, np.ndarray]:
        """Every unknown parameter (patient, draw), at each patient's first covariates."""
        with jax.enable_x64(True):
            person = self.target.compile_once("person", lambda u, data: self.target.person(u, data).parameters)
            found = person(self.u, self.target.data)
        return {name: np.asarray(getattr(found, name))[..., 0] for name in self.prior.names}

    @property
    def individuals(self) -> dict[str, dict[str, np.ndarray]]:
        """What `twin.simulate` takes: `simulate(..., **posterior.individuals, draws=posterior.draws)`."""
        with jax.enable_x64(True):
            values, deviations = self.target.compile_once("split", self.prior.split)(self.u)
        as_numpy = lambda found: {n: np.asarray(v) for n, v in found.items()}  # noqa: E731
        found = {"individuals": as_numpy(values), "deviations": as_numpy(deviations)}
        return found | ({"covariates": self.covariates} if self.covariates else {})

    @functools.cached_property
    def covariates(self) -> dict[str, np.ndarray]:
        """Covariates that are not certain (patient, draw); not a number for patients whose own is."""
        with jax.enable_x64(True):
            found = self.target.compile_once("covariates", self.target.covariates)(self.u, self.target.data)
        return {name: np.asarray(values) for name, values in found.items()}

    @property
    def twin(self) -> Twin:
        """The patients with these draws: what `twin.simulate` takes, and what is saved to be used again."""
        own = self.individuals
        return Twin(
            self.model, self.patients, own["individuals"], own["deviations"], self.covariates, self.verdict,
            self.reasons, self.seed,
        )  # fmt: skip

    def chances(self, i: int) -> dict[str, dict[str, float]]:
        """How probable each value of a patient's uncertain covariates is, given the measurements."""
        declared = self.model.covariates()
        found: dict[str, dict[str, float]] = {}
        for name, table in self.patients[i].chances.items():
            levels = declared[name].levels
            for value, _ in table:
                said = levels[int(value)] if levels else f"{value:g}"
                found.setdefault(name, {})[said] = float(np.mean(self.covariates[name][i] == value))
        return found

    @property
    def draws(self) -> int:
        return self.u.shape[1]

    @property
    def contraction(self) -> np.ndarray:
        """How much narrower than the prior each unknown is: 0 nothing was learned, 1 it is known (patient, unknown)."""
        return 1 - np.var(self.u[..., : len(self.prior.names)], axis=1)

    @functools.cached_property
    def reasons(self) -> tuple[tuple[str, ...], ...]:
        """Why a patient's posterior is not simply trusted, in words; none where it is."""
        return tuple(tuple(self._doubts(i)) + tuple(self._cautions(i)) for i in range(len(self.patients)))

    @functools.cached_property
    def verdict(self) -> tuple[str, ...]:
        """'trusted', 'caution' (right, but look at the data) or 'not trusted', for each patient."""
        found = []
        for i in range(len(self.patients)):
            found.append(DISTRUST if self._doubts(i) else CAUTION if self._cautions(i) else TRUST)
        return tuple(found)

    def _doubts(self, i: int) -> list[str]:
        """What makes the draws themselves unreliable."""
        stat, method = {name: values[i] for name, values in self.stats.items()}, self.method[i]
        doubts = []
        if method == "prior":
            return []
        if method in ("laplace", "map") and stat["settled"] == 0:
            doubts.append("the climb to the mode had not settled when it was stopped: a likelier place is near")
        if method == "laplace" and not (stat["k_hat"] <= TRUSTED and stat["effective_draws"] >= _FEWEST):
            doubts.append(
                "the posterior is not normal around its mode: as weighted draws, its normal approximation has "
                f"k-hat {stat['k_hat']:.2f} and {stat['effective_draws']:.0f} effective draws"
            )
        if method == "importance" and stat["k_hat"] > TRUSTED:
            doubts.append(f"k-hat {stat['k_hat']:.2f} is above {TRUSTED}")
        if method in ("walkers", "nuts") and not stat["r_hat"] <= HIGHEST_RHAT:
            doubts.append(f"R-hat {stat['r_hat']:.3f}: chains disagree")
        if method == "nuts" and stat["divergences"] > 0.01 * self.draws:
            doubts.append(f"{int(stat['divergences'])} divergent transitions")
        if method in ("importance", "walkers", "nuts") and stat["effective_draws"] < _FEWEST:
            doubts.append(f"only {stat['effective_draws']:.0f} effective draws")
        return doubts

    def _cautions(self, i: int) -> list[str]:
        """What makes the answer doubtful though the draws are right."""
        cautions = []
        if self.stats["observations"][i] == 0:
            cautions.append("no measurements: this is the population's prior")
        elif self.method[i] != "map" and self.contraction[i].max() < 0.1:
            cautions.append("the measurements tell next to nothing about any parameter")
        if self.method[i] in ("laplace", "map"):
            cautions.append(self._approximation(i))
        elif self.stats["settled"][i] == 0:
            cautions.append("the climb to the mode had not settled when it was stopped, so a mode may be missed")
        if self.method[i] == "importance" and self.stats["share"][i] < _SMALL_SHARE:
            cautions.append(
                f"hard to sample: {100 * self.stats['share'][i]:.1f} % of the draws count, so a tail may be missed"
            )
        if self.stats["surprise"][i] < SURPRISING:
            cautions.append(
                f"the measurements are surprising (p = {self.stats['surprise'][i]:.4f}): check data and doses"
            )
        if "drift" in self.stats and self.stats["drift"][i] < SURPRISING:
            cautions.append(f"the new measurements do not fit what was known (p = {self.stats['drift'][i]:.4f})")
        if self.stats["conflict"][i] < _FAR:
            cautions.append("the patient is far from the population the model describes")
        return cautions

    def _approximation(self, i: int) -> str:
        """What a mode alone leaves out."""
        several = self.stats["modes"][i] > 1
        which = f"the likeliest of {self.stats['modes'][i]:.0f} modes" if several else "the only mode found"
        return f"{which}, without its width" if self.method[i] == "map" else f"a normal approximation around {which}"

    def summary(self) -> xr.Dataset:
        """Mean, standard deviation and quantiles of each parameter, with verdicts."""
        values = np.stack([self.parameters[n] for n in self.prior.names], -1)
        quantiles = np.quantile(values, [0.05, 0.5, 0.95], axis=1)
        dims = (PATIENT, UNKNOWN)
        data = {
            "mean": (dims, values.mean(1)), "sd": (dims, values.std(1, ddof=1)), "q5": (dims, quantiles[0]),
            "median": (dims, quantiles[1]), "q95": (dims, quantiles[2]), "contraction": (dims, self.contraction),
        }  # fmt: skip
        tree = xr.Dataset(data, {PATIENT: words(p.id for p in self.patients), UNKNOWN: words(self.prior.names)})
        return tree.assign(self._verdicts())

    def to_tree(self) -> xr.DataTree:
        """ArviZ's groups posterior and observed_data, and `calibration` with what tells each patient's worth."""
        who = {PATIENT: words(p.id for p in self.patients)}
        draws = {CHAIN: [0], DRAW: np.arange(self.draws)}
        declared = self.model.parameters()
        dims = (CHAIN, DRAW, PATIENT)
        posterior: dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, str]]] = {
            name: (dims, values.T[None], dataset.about(declared[name])) for name, values in self.parameters.items()
        }
        for name, values in self.covariates.items():
            about = {"description": f"{self.model.covariates()[name].meaning}; a category by its level's number"}
            posterior[name] = (dims, values.T[None], about)
        posterior["u"] = (
            (*dims, UNKNOWN),
            np.swapaxes(self.u, 0, 1)[None],
            {"description": "standard normal before data"},
        )
        rows = [(p.id, *o) for p in self.patients for o in p.observations]
        columns = list(zip(*rows, strict=True)) if rows else [[], [], [], [], []]
        observed = {
            "of_patient": ("observation", words(columns[0])), "observable": ("observation", words(columns[1])),
            "time": ("observation", np.array(columns[2], float)), "value": ("observation", np.array(columns[3], float)),
            "bound": ("observation", np.array(columns[4], np.int8)),
        }  # fmt: skip
        stats = {n: (PATIENT, np.asarray(v), {"description": STATS[n]}) for n, v in self.stats.items()}
        groups = {
            "/posterior": xr.Dataset(posterior, who | draws | {UNKNOWN: words(self.prior.unknowns)}),
            "/calibration": xr.Dataset(stats, who).assign(self._verdicts()),
            "/observed_data": xr.Dataset(observed),
        }
        tree = xr.DataTree.from_dict(groups)
        tree.attrs = {
            **describe_model(self.model), "seed": self.seed,
            "prior": json.dumps(self.prior.describe()), "time_unit": self.model.time_unit,
        }  # fmt: skip
        return tree

    def save(self, path: str | Path) -> Path:
        """Store it as Zarr; `load` reads it back beside the patients it is of."""
        path = Path(path)
        dataset.write(self.to_tree(), path)
        return path

    @classmethod
    def load(cls, path: str | Path, target: Target) -> Posterior:
        """The posterior in a store, of the target (model, patients and prior) that it was found for."""
        tree = xr.open_datatree(path, engine="zarr", consolidated=False).load()
        if tree.attrs["model"] != target.model.name:
            raise TwinError(f"{path}: holds a posterior of model '{tree.attrs['model']}', not '{target.model.name}'")
        if tree.attrs.get("extensions") != describe_model(target.model).get("extensions"):
            raise TwinError(
                f"{path}: holds a posterior of '{target.model.name}' extended otherwise; extend it likewise"
            )
        posterior, told = tree["posterior"].to_dataset(), tree["calibration"].to_dataset()
        if list(posterior[PATIENT].values) != [p.id for p in target.patients]:
            raise TwinError(f"{path}: holds other patients; load it with those it was calibrated for, in their order")
        if list(posterior[UNKNOWN].values) != list(target.prior.unknowns):
            raise TwinError(f"{path}: was found under a prior with other unknowns")
        stats = {n: told[n].values for n in STATS if n in told}
        u = np.swapaxes(posterior["u"].values[0], 0, 1)
        return cls(target, u, tuple(map(str, told["method"].values)), stats, int(tree.attrs["seed"]))

    def _verdicts(self) -> dict[str, Any]:
        return {
            "method": (PATIENT, words(self.method)), "verdict": (PATIENT, words(self.verdict)),
            "reasons": (PATIENT, words("; ".join(r) for r in self.reasons)),
        }  # fmt: skip
