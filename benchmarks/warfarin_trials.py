"""Do two trials of genotype-guided warfarin come out of the model? One JSON line a trial and group, printed.

python benchmarks/warfarin_trials.py [--patients 1000] [--draws 4]

EU-PACT 2013 (loading by genotype, a revision on day 4; against 10, 5 and 5 mg) and COAG 2013 (both arms by formulas,
one without genotypes; its Black patients apart). Patients are drawn as in `shared/data/trials/warfarin_protocols`,
treated by rules as a scenario would write them, and measured with the model's error; time in range is Rosendaal's. From
the first week on both arms of a trial are dosed by Aurora's rules, which stand for what clinics did.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cli.runtime import prepare_jax  # noqa: E402

prepare_jax()

import twin  # noqa: E402
from twin.disease import warfarin_hamberg2010  # noqa: E402
from twin.model import Rosendaal, covariate  # noqa: E402
from twin.types import Scalar  # noqa: E402

EUROPEAN = {"*2": 0.124, "*3": 0.073, "A": 0.388}  # allele frequencies of 1000 Genomes (PMC6562764, table 1)
AFRICAN = {"*2": 0.008, "*3": 0.002, "A": 0.054}
RATES = {"*1/*1": 0.0189, "*1/*2": 0.0158, "*1/*3": 0.0132, "*2/*2": 0.0130, "*2/*3": 0.0090, "*3/*3": 0.0075}  # 1/h

# Formulas as they are published, in the words of a rule; height in cm, weight in kg (shared/.../dose_formulas.csv).
A_ALLELES = "((vkorc1 == 'GA') + 2 * (vkorc1 == 'AA'))"
OF_2 = "((cyp2c9 == '*1/*2') + (cyp2c9 == '*2/*3') + 2 * (cyp2c9 == '*2/*2'))"
OF_3 = "((cyp2c9 == '*1/*3') + (cyp2c9 == '*2/*3') + 2 * (cyp2c9 == '*3/*3'))"
SURFACE = "sqrt(height * weight / 3600)"
IWPC_BY_YEAR = (  # as EU-PACT changed it: age by the year, no race
    "(5.6044 - 0.02614 * age + 0.0087 * height + 0.0128 * weight - 0.8677 * (vkorc1 == 'GA')"
    " - 1.6974 * (vkorc1 == 'AA') - 0.5211 * (cyp2c9 == '*1/*2') - 0.9357 * (cyp2c9 == '*1/*3')"
    " - 1.0616 * (cyp2c9 == '*2/*2') - 1.9206 * (cyp2c9 == '*2/*3') - 2.3312 * (cyp2c9 == '*3/*3')) ** 2 / 7"
)
GAGE = (
    f"exp(0.9751 - 0.3238 * {A_ALLELES} + 0.4317 * {SURFACE} - 0.4008 * {OF_3} - 0.00745 * age - 0.2066 * {OF_2}"
    " + 0.2029 * 2.5 - 0.0901 * black)"
)
GAGE_CLINICAL = f"exp(0.613 + 0.425 * {SURFACE} - 0.0075 * age + 0.156 * black + 0.216 * 2.5)"
RATE = "24 * (" + " + ".join(f"{k} * (cyp2c9 == '{name}')" for name, k in RATES.items()) + ")"
LOAD = f"1 / ((1 - exp(-{RATE})) * (1 + exp(-{RATE}) + exp(-2 * {RATE})))"  # over the dose that it brings forward


def loaded(share: float) -> str:
    """A loading dose: the maintenance dose and a share of what the full one is more."""
    return f"dose * (1 + {share} * ({LOAD} - 1))"


LENZINI = (  # from the INR of day 4 and the doses of days 1 to 3
    f"exp(3.10894 - 0.00767 * age - 0.51611 * log(inr) - 0.23032 * {A_ALLELES} - 0.14745 * {OF_2} - 0.3077 * {OF_3}"
    f" + 0.24597 * {SURFACE} + 0.26729 * 2.5 - 0.09644 * black"
    f" + dose * (0.0169 * (1 + 0.5 * ({LOAD} - 1)) + 0.02018 * {LOAD} + 0.01065 * (1 + 1.5 * ({LOAD} - 1)))) / 7"
)
LENZINI_CLINICAL = (
    f"exp(2.81602 - 0.76679 * log(inr) - 0.0059 * age + 0.27815 * 2.5 + 0.17675 * {SURFACE} + 0.07123 * black"
    " + dose * (0.03471 + 0.03047 + 0.01929)) / 7"
)
TABLETS = {"multiple_of": "0.5 mg", "most": "20 mg"}
CLINIC = [  # Aurora's rules
    {"above": 5, "dose": "x 0.85", "hold": {"to": 3, "again": "2 day"}},
    {"from": 4, "dose": "x 0.875", "skip": 2},
    {"from": 3.4, "dose": "x 0.9"},
    {"above": 3, "dose": "x 0.925"},
    {"below": 1.5, "dose": "x 1.15"},
    {"below": 1.8, "dose": "x 1.1"},
    {"below": 2, "dose": "x 1.075"},
    {"dose": "same"},
]
STABLE = {"0 day": "2 day", "2 day": "5 day", "7 day": "7 day", "14 day": "14 day", "28 day": "28 day"}


class Covariates(warfarin_hamberg2010.Covariates):
    """What formulas ask for and the model does without."""

    weight: Scalar = covariate(75.0, "kg", "body weight", low=30.0, high=250.0)
    height: Scalar = covariate(170.0, "cm", "height", low=110.0, high=220.0)
    black: Scalar = covariate(0.0, "1", "whether African ancestry is reported", low=0.0, high=1.0)


class Warfarin(warfarin_hamberg2010.WarfarinHamberg2010):
    """The shipped model, of patients of whom more is known."""

    name, aliases = "warfarin_of_trials", ()
    Covariates = Covariates


def draw_people(count: int, alleles: dict[str, float], black: float, rng: np.random.Generator) -> list[twin.Patient]:
    """Ages and sizes as of Aurora's population (Ravvaz 2017), genotypes in Hardy-Weinberg proportions."""

    def between(mean: float, sd: float, low: float, high: float) -> float:
        return next(x for x in iter(lambda: rng.normal(mean, sd), None) if low <= x <= high)

    found = []
    for i in range(count):
        others = [alleles["*2"], alleles["*3"]]
        pair = sorted(rng.choice(["*1", "*2", "*3"], 2, p=[1 - sum(others), *others]))
        known: dict[str, Any] = {
            "age": between(67.30, 13.43, 18, 95), "weight": between(199.24, 54.71, 80, 400) * 0.45359237,
            "height": between(66.78, 4.31, 50, 80) * 2.54, "cyp2c9": "/".join(pair), "black": black,
            "vkorc1": ("GG", "GA", "AA")[rng.binomial(2, alleles["A"])], "baseline_inr": 1.0,
        }  # fmt: skip
        found.append(twin.Patient(f"{i:05d}", covariates=known))
    return found


def feedback(rules: list[dict[str, Any]], *, doses: dict[str, str] = TABLETS, **more: Any) -> dict[str, Any]:
    return {"measure": "inr", "reading": {"rounded": 0.1, "most": 10}, "rules": rules, "doses": doses, **more}


def begun(name: str, formula: str) -> dict[str, Any]:
    """A dose that is computed before the first; nothing is measured for it."""
    return {
        "name": name, "measure": "s_warfarin", "latent": True, "at": ["0 day"], "rules": [{"dose": f"= {formula}"}],
        "doses": {"multiple_of": "0.1 mg", "most": "20 mg"},
    }  # fmt: skip


def clinic(revision: str | None) -> dict[str, Any]:
    """INRs on days 4, 6 and 8, and then as the last ones were: the first by a formula, if any, the rest by Aurora."""
    first = {"when": "number == 1", "dose": f"= {revision}" if revision else "same"}
    after = {"from": 2, "to": 3, "after": STABLE, "otherwise": "7 day"}
    return feedback([first, *CLINIC], name="clinic", at=["3 day", "5 day", "7 day", "then every 7 day"], next=after)


def by_genotype() -> dict[str, Any]:
    """EU-PACT: the IWPC dose, brought forward in three days, and Lenzini's revision on day 4."""
    loads = [
        {"when": f"number == {day}", "once": f"= {loaded(share)}"} for day, share in ((1, 1.5), (2, 1.0), (3, 0.5))
    ]
    loading = {
        "name": "loading", "measure": "s_warfarin", "latent": True, "at": ["0 day", "1 day", "2 day"],
        "rules": [*loads, {"dose": "same"}], "doses": TABLETS,
    }  # fmt: skip
    return {"start": "5 mg q24h", "feedback": [begun("IWPC", IWPC_BY_YEAR), loading, clinic(LENZINI)]}


def standard() -> dict[str, Any]:
    """EU-PACT's control: 10 mg, up to 75 years, and 5 mg from the second day on."""
    young = {"name": "10 mg", "measure": "s_warfarin", "latent": True, "at": ["0 day"],
             "rules": [{"when": "age <= 75", "once": "10 mg"}, {"dose": "same"}]}  # fmt: skip
    return {"start": "5 mg q24h", "feedback": [young, clinic(None)]}


TRIALS: dict[str, dict[str, Any]] = {
    "EU-PACT": {
        "arms": {"genotype": by_genotype(), "control": standard()}, "alleles": EUROPEAN, "black": 0.0,
        "days": (0, 84), "published": {"genotype": 67.4, "control": 60.3, "difference": [7.0, 3.3, 10.6]},
    },
    "COAG": {
        "arms": {
            "genotype": {"start": "5 mg q24h", "feedback": [begun("Gage", GAGE), clinic(LENZINI.replace(LOAD, "1"))]},
            "control": {"start": "5 mg q24h", "feedback": [begun("clinical", GAGE_CLINICAL), clinic(LENZINI_CLINICAL)]},
        },
        "alleles": EUROPEAN, "black": 0.0, "days": (3, 28),
        "published": {"genotype": 45.2, "control": 45.4, "difference": [-0.2, -3.4, 3.1]},
    },
}  # fmt: skip
TRIALS["COAG, Black patients"] = TRIALS["COAG"] | {
    "alleles": AFRICAN, "black": 1.0,
    "published": {"genotype": 35.2, "control": 43.5, "difference": [-8.3, None, None]},
}  # fmt: skip
TRIALS["COAG, Black patients, formulas without race"] = TRIALS["COAG, Black patients"] | {"black": 0.0}


def simulate(trial: dict[str, Any], patients: int, draws: int, seed: int) -> dict[str, Any]:
    people = draw_people(patients, trial["alleles"], trial["black"], np.random.default_rng(seed))
    begin, end = (24.0 * day for day in trial["days"])
    outcomes = {"ttr": Rosendaal(of="inr", low=2, high=3, longest=56 * 24.0, since=begin, until=end)}
    began = time.perf_counter()
    result = twin.simulate(
        Warfarin(), people, regimens=trial["arms"], draws=draws, seed=seed, until=end, times=(), outcomes=outcomes,
    )  # fmt: skip
    share = 100 * result["outcomes/ttr"].values  # patient, arm, draw
    means = np.nanmean(share, axis=(0, 2))
    paired = np.nanmean(share[:, 0] - share[:, 1], axis=1)
    return {
        "genotype": round(float(means[0]), 2), "control": round(float(means[1]), 2),
        "difference": round(float(np.nanmean(paired)), 2),
        "se": round(float(np.nanstd(paired) / np.sqrt(np.isfinite(paired).sum())), 2),
        "days_to_range": days_to_range(result),
        "failed": int((result["sample_stats/status"].values != 0).sum()),
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip


def days_to_range(result: Any) -> list[float]:
    """The median day of the first INR told from 2 to 3, by arm."""
    table = result["decisions"]
    told, when = table["reported"].values, table["read_at"].values / 24
    found = []
    for k, feedback in enumerate(table["feedback"].attrs["feedback"].values()):
        of_inr = [i for i, one in enumerate(feedback) if one["measure"] == "inr"]
        inr = np.isin(table["feedback"].values[:, k], of_inr)
        inside = inr & (told[:, k] >= 2) & (told[:, k] <= 3)
        found.append(round(float(np.median(np.where(inside, when[:, k], np.inf).min(axis=-1))), 1))
    return found


@click.command()
@click.option("--patients", default=1000, help="How many are drawn.")
@click.option("--draws", default=4, help="Individuals drawn of each.")
@click.option("--seed", default=2013)
def main(patients: int, draws: int, seed: int) -> None:
    for name, trial in TRIALS.items():
        found = simulate(trial, patients, draws, seed)
        said = {"benchmark": "warfarin_trials", "trial": name, "patients": patients, "draws": draws, "seed": seed}
        print(json.dumps(said | found | {"published": trial["published"]}), flush=True)


if __name__ == "__main__":
    main()
