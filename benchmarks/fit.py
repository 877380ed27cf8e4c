"""Population fits on two cores: seconds, and how far the estimates are from the truth in their standard errors.

python benchmarks/fit.py warfarin --data ../shared/data        # ten patients: cold, then warm, by nodes and by draws
python benchmarks/fit.py neutropenia --people 1000             # 8 states, 5 effects, simulated by the engine
python benchmarks/fit.py neutropenia --people 40 --replicates 100   # how often 95 % intervals hold the truth
python benchmarks/fit.py cells --people 1000                   # single cells of 180 values beside Monolix
python benchmarks/fit.py screen                                # 50 covariate effects of a hundred patients

One JSON line each. Data of warfarin and the cells' design are read from the shared folder, never from here.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import click
import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # models of published fits stand among the tests

import twin
from calibration.population.climb import errors_of
from calibration.population.fit import PopulationFit, fit_population
from calibration.population.search import search_covariates
from tests.fit import loading, models
from twin.library import as_model
from twin.model.extension import Column, add_columns
from twin.patient import DoseRecord, Observation, Patient

MONOLIX = {50: 77, 1000: 1821, 10_000: 25_381}  # seconds, of its authors' machine
COVERED = 1.959964


def show(**line: Any) -> None:
    """One line of results."""
    machine = {"jax": jax.__version__, "machine": platform.processor() or platform.machine()}
    click.echo(json.dumps({**line, **machine}, default=float))


def say(found: PopulationFit, truth: dict[str, float]) -> dict[str, Any]:
    """What a line says of a fit."""
    errors = found.errors()
    off = {n: (found.numbers[n] - v) / errors[n] for n, v in truth.items() if n in found.numbers and errors[n] > 0}
    worst = max(off, key=lambda n: abs(off[n])) if off else ""
    return {
        "verdict": found.verdict, "reasons": found.reasons, "minus_two_ll": found.minus_two_ll,
        "minus_two_ll_error": found.minus_two_ll_error, "rounds": len(found.top.rounds),
        "draws": found.top.cloud.draws, "noise_in_se": float(np.max(found.top.noise / errors_of(found.top.maximum))),
        "worst": worst, "worst_off_in_se": off.get(worst, 0.0), "k_hat": float(found.checks.k.max()),
    }  # fmt: skip


@click.group()
def main() -> None:
    """Population fits, timed."""


@main.command()
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared/data"))
@click.option("--repeats", default=3)
def warfarin(data: Path, repeats: int) -> None:
    people = loading.warfarin10(data)
    for method in ("nodes", "draws"):
        seconds = []
        for _ in range(repeats + 1):
            began = time.perf_counter()
            found = fit_population(models.Warfarin10(), people, method=method)
            seconds.append(time.perf_counter() - began)
        show(
            case="warfarin10", method=method, first_s=seconds[0], warm_s=float(np.median(seconds[1:])), **say(found, {})
        )


# --- neutropenia ----------------------------------------------------------------------------------------------------

_DAYS = (0.0, 3.0, 5.0, 7.0, 9.0, 11.0, 14.0, 18.0, 21.0)
_HOURS = (1.5, 4.0, 24.0)
_EFFECTS = ("clearance", "volume", "baseline", "maturation_time", "slope")
_ERRORS = ("docetaxel_error", "neutrophil_error")


def simulate_neutropenia(people: int, seed: int) -> list[Patient]:
    """One infusion, nine counts and three concentrations each."""
    model = as_model("docetaxel_neutropenia")
    hours = sorted({*(24 * d for d in _DAYS), *_HOURS})
    patient = Patient("all", doses=[DoseRecord("180 mg", 0.0, over="1 h")])
    tree = twin.simulate(
        model, patient, regimens={"history": None}, draws=people, seed=seed, times=hours, noise=True, until=hours[-1]
    )
    measured = tree["measurements"].to_dataset()
    rows = {n: measured[n].squeeze().transpose("draw", "time").values for n in ("neutrophils", "docetaxel")}
    found = []
    for i in range(people):
        seen = [Observation("neutrophils", 24 * d, float(rows["neutrophils"][i, hours.index(24 * d)])) for d in _DAYS]
        seen += [Observation("docetaxel", h, float(rows["docetaxel"][i, hours.index(h)])) for h in _HOURS]
        found.append(Patient(f"{i:05}", doses=patient.doses, observations=seen))
    return found


def _truth(model: Any) -> dict[str, float]:
    declared = model.parameters()
    typical = {n: float(declared[n].value) for n in (*_EFFECTS, *_ERRORS)}
    return typical | {f"variance of {n}": declared[n].spread.normal_sd ** 2 for n in _EFFECTS}


@main.command()
@click.option("--people", default=1000)
@click.option("--replicates", default=1)
@click.option("--draws", default=512)
def neutropenia(people: int, replicates: int, draws: int) -> None:
    model = as_model("docetaxel_neutropenia")
    truth, inside, seconds = _truth(model), [], []
    for seed in range(1, replicates + 1):
        patients = simulate_neutropenia(people, seed)
        began = time.perf_counter()
        found = fit_population(model, patients, correlated=[], draws=draws, seed=seed)
        seconds.append(time.perf_counter() - began)
        errors = found.errors()
        inside.append({n: abs(found.numbers[n] - v) < COVERED * errors[n] for n, v in truth.items()})
        if replicates == 1:
            show(case="neutropenia", people=people, seconds=seconds[0], **say(found, truth))
    if replicates > 1:
        share = {n: float(np.mean([one[n] for one in inside])) for n in truth}
        show(case="neutropenia", people=people, replicates=replicates, seconds=float(np.median(seconds)),
             inside_95=share, inside_all=float(np.mean([list(one.values()) for one in inside])))  # fmt: skip


# --- cells ----------------------------------------------------------------------------------------------------------


@main.command()
@click.option("--people", default=50)
@click.option("--draws", default=512)
def cells(people: int, draws: int) -> None:
    """Simulated as those of Arruda et al. 2024 are; true values and design are theirs."""
    rng, times = np.random.default_rng(people), np.arange(1, 181) / 6
    means = np.array([-0.69364, -7.01357, 6.21662, -0.16357])
    variances = np.array([0.94098, 7.01402, 0.00396, 0.11641])
    offset, error = np.exp(2.07944), np.exp(-3.45388)
    found = []
    for i in range(people):
        decay, loss, translation, start = np.exp(means + np.sqrt(variances) * rng.standard_normal(4))
        past = np.maximum(times - start, 0)
        protein = translation * (np.exp(-loss * past) - np.exp(-decay * past)) / (decay - loss)
        seen = np.log(protein + offset) + error * rng.standard_normal(len(times))
        rows = [Observation("brightness", float(t), float(y)) for t, y in zip(times, seen, strict=True)]
        found.append(Patient(f"{i:05}", doses=[DoseRecord("1", 0.0)], observations=rows))
    names = ("decay", "loss", "translation", "start")
    truth = {n: float(np.exp(m)) for n, m in zip(names, means, strict=True)} | {"error": float(error)}
    truth |= {f"variance of {n}": float(v) for n, v in zip(names, variances, strict=True)}
    began = time.perf_counter()
    fit = fit_population(models.Cells(), found, draws=draws)
    several = int(fit.top.places.several.sum())
    show(case="cells", people=people, seconds=time.perf_counter() - began, monolix_s=MONOLIX.get(people),
         cells_with_several_modes=several, **say(fit, truth))  # fmt: skip


@main.command()
@click.option("--people", default=100)
@click.option("--covariates", default=25)
def screen(people: int, covariates: int) -> None:
    rng, times = np.random.default_rng(0), np.array([1.0, 4.0, 10.0, 24.0])
    names = [f"covariate_{k}" for k in range(covariates)]
    found = []
    for i in range(people):
        known = np.exp(0.3 * rng.standard_normal(covariates))
        clearance = 3.4 * known[0] ** 0.75 * np.exp(0.2 * rng.standard_normal())
        volume = 55 * known[1] * np.exp(0.2 * rng.standard_normal())
        seen = 1000 / volume * np.exp(-clearance / volume * times) * (1 + 0.1 * rng.standard_normal(4))
        rows = [Observation("concentration", float(t), float(y)) for t, y in zip(times, seen, strict=True)]
        own = dict(zip(names, known.tolist(), strict=True))
        found.append(Patient(f"{i:05}", covariates=own, doses=[DoseRecord("1000 mg", 0.0)], observations=rows))
    fit = fit_population(add_columns(models.Sites(), [Column(n) for n in names]), found, correlated=[])
    began = time.perf_counter()
    searched = search_covariates(fit, bootstrap=200)
    show(case="screen", people=people, effects=len(searched.candidates), bootstrap=200,
         seconds=time.perf_counter() - began, best=[row["effect"] for row in searched.table()[:3]])  # fmt: skip


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
