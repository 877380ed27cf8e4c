"""Fills the tables of docs/forecasts.md: what forecasts are worth on real people's records.

Needs the public data beside the checkout (../shared/data): PYTHONPATH=. python docs/forecasts.py [glucose] [lesions]
"""

from __future__ import annotations

import csv
import datetime
import itertools
import sys
from collections import defaultdict
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pandas as pd

import calibration
import twin
from cli.runtime import prepare_jax
from docs.generate import fill, table
from twin.model import DiseaseModel, LogitNormal, LogNormal, observable, parameter, state
from twin.model.noise import Autocorrelated, LogNormalNoise
from twin.types import Scalar

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
FLAT, AHEAD = 8, 52  # readings of a window before and after its rise
HORIZONS = (15, 30, 60, 90, 120)  # min
FEWEST = 2  # measurements known before a forecast counts
EVERY = 120.0  # min; the twin is calibrated anew
# Nobody wrote down what was eaten, and these people have type 2 diabetes: size of the meal and fasting glucose are
# as good as unknown.
PRIORS = {
    "basal_glucose": {"log_normal": {"median": 140.0, "sd": 0.3}},
    "absorbed_share": {"log_normal": {"median": 0.9, "sd": 0.6}},
}


def traces() -> dict[str, np.ndarray]:
    """Of each person, minutes and glucose (mg/dL)."""
    found = defaultdict(list)
    with (DATA / "cgm_iglu" / "cgm_subjects_1_3.csv").open() as file:
        for row in csv.DictReader(file):
            time = datetime.datetime.fromisoformat(row["time"]).replace(tzinfo=datetime.UTC)
            found[row["id"]].append((time.timestamp() / 60, float(row["gl"])))
    return {name: np.array(sorted(rows)) for name, rows in found.items()}


def rises(trace: np.ndarray) -> list[int]:
    """Where glucose rises by 20 mg/dL in 15 minutes after being flat for 25, with no gap around; 5 hours apart."""
    time, glucose = trace.T
    found: list[int] = []
    for i in range(FLAT + 4, len(time) - AHEAD):
        apart = not found or time[i] - time[found[-1]] >= 300
        whole = np.all(np.diff(time[i - FLAT : i + AHEAD]) < 11)
        flat = glucose[i - FLAT : i - 3].std() < 6
        if apart and whole and flat and glucose[i] - glucose[i - 3] >= 20:
            found.append(i)
    return found


def windows() -> list[twin.Patient]:
    """A window around each rise, as a patient: a meal of 60 g announced half an hour before, no insulin."""
    people = []
    for name, trace in traces().items():
        for number, i in enumerate(rises(trace)):
            part = trace[i - FLAT : i + AHEAD]
            minutes = part[:, 0] - part[0, 0]
            people.append(
                twin.Patient(
                    f"{name}, rise {number + 1}",
                    doses=[twin.patient.DoseRecord("60 g", max(minutes[FLAT] - 45.0, 0.0), treatment="meal")],
                    observations=[
                        twin.Observation("free_living_glucose", t, g) for t, g in zip(minutes, part[:, 1], strict=True)
                    ],
                )
            )
    return people


def scored(people: list[twin.Patient], forecasts: pd.DataFrame) -> np.ndarray:
    """Of each forecast: time ahead, value, median, 5 and 95 %, CRPS, and the last value that was known."""
    read = {p.id: [(o.time, o.value) for o in p.observations] for p in people}
    found = []
    for (person, _), part in forecasts.groupby(["of_patient", "step"]):
        known = [(t, value) for t, value in read[person] if t < part.time.min()]
        for _, one in part.iterrows() if len(known) >= FEWEST else ():
            last, held = known[-1]
            found.append((one.time - last, one.value, one["median"], one.q5, one.q95, one.crps, held))
    return np.array(found)


def row(words: str, some: np.ndarray) -> list[str]:
    """Errors of the twin and of the last value carried forward, whose CRPS is its mean absolute error."""
    _, value, median, low, high, crps, held = some.T
    error, naive = median - value, held - value
    inside = np.mean((value >= low) & (value <= high))
    numbers = (np.sqrt(np.mean(error**2)), np.sqrt(np.mean(naive**2)), np.mean(crps), np.mean(np.abs(naive)))
    return [words, f"{len(some):,}", *(f"{x:.1f}" if x > 10 else f"{x:.2f}" for x in numbers), f"{100 * inside:.0f} %"]


HEAD = ("", "forecasts", "RMSE", "RMSE, last value", "CRPS", "CRPS, last value", "inside 90 %")


def glucose() -> str:
    people = windows()
    found = calibration.replay(twin.load_model("type1_diabetes"), people, every=EVERY, priors=PRIORS, draws=1000)
    out = scored(people, found.forecasts.to_dataframe())
    edges = (0, *HORIZONS)
    within = [(a, b, out[(out[:, 0] > a) & (out[:, 0] <= b + 2)]) for a, b in itertools.pairwise(edges)]
    return table(HEAD, (row(f"{a} to {b} min ahead", some) for a, b, some in within))


class Lesion(DiseaseModel):
    """Part of a lesion grows, part of it shrinks; its logarithm also wanders, and goes on from where it is."""

    name, title, time_unit = "lesion", "a lesion under treatment", "day"

    # Fitted to study 1 (59 lesions) by the density of each next measurement; study 2 had no part in it.
    class Parameters(eqx.Module):
        before: Scalar = parameter(22.0, "mm", "diameter at the start", spread=LogNormal(0.8))
        growth: Scalar = parameter(4.9e-4, "1/day", "growth of what resists", spread=LogNormal(1.0))
        shrinkage: Scalar = parameter(7.7e-3, "1/day", "loss of what responds", spread=LogNormal(0.99))
        responding: Scalar = parameter(0.43, "1", "share that responds", spread=LogitNormal(0.99))
        error: Scalar = parameter(0.5, "1", "SD of the logarithm that wanders")
        memory: Scalar = parameter(770.0, "day", "how long it stays away")

    class State(eqx.Module):
        growing: Scalar = state("1", "log of what resists")
        shrinking: Scalar = state("1", "log of what responds")

    def derivatives(self, t, y, p):
        return self.State(growing=p.growth + 0 * y.growing, shrinking=-p.shrinkage + 0 * y.shrinking)

    @observable(unit="mm", modality="imaging", noise=Autocorrelated(LogNormalNoise("error"), "memory"))
    def diameter(self, t, y, p):
        return p.before * ((1 - p.responding) * jnp.exp(y.growing) + p.responding * jnp.exp(y.shrinking))


def lesions() -> str:
    """Each measurement of a lesion from the third on, from all before it; until the first that reads 0 mm."""
    by_study: dict[str, list[twin.Patient]] = {"1": [], "2": []}
    rows = defaultdict(list)
    with (DATA / "tumour_lesions_laleh" / "lesions_studies_1_2.csv").open() as file:
        for one in csv.DictReader(file):
            rows[one["Study_id"], one["Pt_hashID"]].append((7 * float(one["T_weeks"]), float(one["Lesion_diam"])))
    for (study, name), readings in rows.items():
        readings = sorted(dict(reversed(readings)).items())  # of two at one time, the first
        until = next((i for i, (_, size) in enumerate(readings) if size == 0), len(readings))
        seen = [twin.Observation("diameter", t - readings[0][0], size) for t, size in readings[:until]]
        if len(seen) > FEWEST:
            by_study[study].append(twin.Patient(name, observations=seen))
    shown = []
    for study, people in by_study.items():
        parts = [people[i : i + 40] for i in range(0, len(people), 40)]
        found = [calibration.replay(Lesion(), part, every=14.0, draws=1000).forecasts.to_dataframe() for part in parts]
        shown.append(row(f"study {study}, next diameter (mm)", scored(people, pd.concat(found))))
    return table(HEAD, shown)


def main() -> None:
    prepare_jax()
    page = ROOT / "docs" / "forecasts.md"
    for make in (glucose, lesions):
        if make.__name__ in (sys.argv[1:] or ("glucose", "lesions")):
            page.write_text(fill(page.read_text("utf-8"), make.__name__, made := make()), "utf-8")
            print(made, flush=True)


if __name__ == "__main__":
    main()
