"""Do published trials come out of the shipped models? One JSON line a comparison: ours, its error, what was published.

python benchmarks/published_trials.py [--only coag] [--persons 1.0]

Nothing is fitted to the trials. Designs are shipped scenarios (EU-PACT, SURMOUNT-1, propofol in a closed loop) and
those of `benchmarks/published/`, each a file that `twin trial` or `twin simulate` takes, too. What was published is in
shared/data/trials/trial_anchors.csv; docs/trials_against_published.md says what differs and why.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cli.runtime import prepare_jax  # noqa: E402

prepare_jax()

from calibration.answer import run_scenario, run_trial  # noqa: E402
from twin.files.document import read  # noqa: E402
from twin.scenario import Scenario, load_scenario  # noqa: E402

HERE = ROOT / "benchmarks" / "published"
AFRICAN = {"*1": "rest", "*2": 0.008, "*3": 0.002}, 0.054  # alleles of 1000 Genomes (PMC6562764, table 1)

Row = dict[str, Any]


def spell(value: Any, error: Any, scale: float = 1.0) -> list[float]:
    """A figure and its standard error."""
    return [round(scale * float(value), 2), round(scale * float(error), 2)]


def mean_of(values: np.ndarray, scale: float = 1.0) -> list[float]:
    """Of persons."""
    values = values[np.isfinite(values)]
    return spell(values.mean(), values.std(ddof=1) / np.sqrt(len(values)), scale)


def of_trial(tree: Any, endpoint: str, scale: float = 1.0) -> Row:
    """What each arm comes to, and the difference, over replicates."""
    levels, operating = tree["allocation"].to_dataset().isel(run=0), tree["operating"].to_dataset().isel(run=0)
    name = next(str(n) for n in levels.data_vars if str(n).endswith(f" of {endpoint}"))
    arms = {str(arm): levels.sel(arm=arm) for arm in levels["arm"].values}
    found: Row = {arm: spell(one[name], one[f"{name}_se"], scale) for arm, one in arms.items()}
    mine = operating.isel(hypothesis=operating["endpoint"].values == endpoint)
    effects = zip(mine["arm"].values, mine["effect"].values, mine["effect_se"].values, strict=True)
    return found | {"difference": {str(arm): spell(effect, error, scale) for arm, effect, error in effects}}


# warfarin ---------------------------------------------------------------------------------------------


def readings(result: Any) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By arm, the days on which INRs were read and what was told (person, reading), in order; inf where none was."""
    table, found = result["decisions"], {}
    for k, (arm, feedback) in enumerate(table["feedback"].attrs["feedback"].items()):
        of_inr = [i for i, one in enumerate(feedback) if one["measure"] == "inr"]
        told = table["reported"].values[0, k]
        there = np.isin(table["feedback"].values[0, k], of_inr) & ~np.isnan(told)
        when = np.where(there, table["read_at"].values[0, k] / 24, np.inf)
        order = np.argsort(when, axis=1)
        found[str(arm)] = (np.take_along_axis(when, order, 1), np.take_along_axis(told, order, 1))
    return found


def days_to_range(result: Any, days: float) -> Row:
    """Median days, by arm, to the first INR told from 2 to 3, and to the first of those that stay so for a week."""
    found: Row = {}
    for arm, (when, told) in readings(result).items():
        inside = (told >= 2) & (told <= 3) & np.isfinite(when)
        stays = np.zeros_like(inside)
        for i in range(when.shape[1] - 1):  # inside from here to a reading a week later, and at all between
            later = when[:, i + 1 :] - np.where(np.isfinite(when[:, i : i + 1]), when[:, i : i + 1], 0.0)
            enough = inside[:, i + 1 :] & (later >= 7) & np.isfinite(later)
            unbroken = np.cumprod(inside[:, i + 1 :], axis=1).astype(bool)
            stays[:, i] = inside[:, i] & (enough & unbroken).any(axis=1)
        first, twice = (np.where(which, when, days).min(axis=1) for which in (inside, stays))
        found[arm] = {"first": _median(first), "stays a week": _median(twice)}
    return found


def _median(values: np.ndarray) -> list[float]:
    """The median and its standard error from order statistics."""
    ordered, half = np.sort(values), np.sqrt(len(values)) / 2
    low, high = (int(len(values) / 2 + side * half) for side in (-1, 1))
    return spell(np.median(values), (ordered[high] - ordered[low]) / 2)


def eu_pact(size: float) -> Iterator[Row]:
    path = ROOT / "scenarios" / "warfarin" / "trial.yaml"
    scenario = load_scenario(path)
    design = dataclasses.replace(_design(scenario), no_effect=False, replicates=round(40 * size))
    tree = run_trial(dataclasses.replace(scenario, design=design), example=None)
    yield {
        "row": "EU-PACT 2013", "quantity": "% of 12 weeks with INR 2-3", "ours": of_trial(tree, "in_range", 100),
        "published": {"by genotype": 67.4, "standard": 60.3, "difference": [7.0, 3.3, 10.6]},
    }  # fmt: skip
    result = run_scenario(scenario, draws=round(2000 * size), times=(0.0,)).result
    yield {
        "row": "EU-PACT 2013", "quantity": "median days to a therapeutic INR", "ours": days_to_range(result, 84.0),
        "published": {"by genotype": 21, "standard": 29},
    }  # fmt: skip


def coag(size: float) -> Iterator[Row]:
    published = {"by genotype": 45.2, "clinical": 45.4, "difference": [-0.2, -3.4, 3.1]}
    black = {"by genotype": 35.2, "clinical": 43.5, "difference": [-8.3, None, None]}
    quantity = "% of days 3 to 28 with INR 2-3"
    for row, changed, said in (
        ("COAG 2013", (), published),
        ("COAG 2013, Black patients", ("african", "black"), black),
        ("COAG 2013, Black patients, formulas without race", ("african",), black),
    ):
        scenario = _changed(HERE / "coag.yaml", changed)
        tree = run_trial(scenario, replicates=round(20 * size), example=None)
        yield {"row": row, "quantity": quantity, "ours": of_trial(tree, "in_range", 100), "published": said}


def gift(size: float) -> Iterator[Row]:
    """Of people of 65 and more, who has a reading of 4 or more within 30 days."""
    scenario = _changed(HERE / "coag.yaml", ("old",))
    result = run_scenario(scenario, draws=round(4000 * size), times=(0.0,)).result
    over = {a: 1.0 * ((t >= 4) & (w <= 30)).any(axis=1) for a, (w, t) in readings(result).items()}
    high = {arm: mean_of(values, 100) for arm, values in over.items()}
    paired = over["by genotype"] - over["clinical"]
    yield {
        "row": "GIFT 2017", "quantity": "% with an INR of 4 or more within 30 days",
        "ours": high | {"difference": mean_of(paired, 100)},
        "published": {"composite": {"by genotype": 10.8, "clinical": 14.7}},
    }  # fmt: skip


def crowther(size: float) -> Iterator[Row]:
    tree = run_trial(HERE / "crowther.yaml", replicates=round(100 * size), example=None)
    for hours, said in ((36, {"10 mg": 44, "5 mg": 8}), (60, None)):
        yield {
            "row": "Crowther 1997", "quantity": f"% with INR 2-3 after {hours} h",
            "ours": of_trial(tree, f"at {hours} h", 100), "published": said,
        }  # fmt: skip


def gage(size: float) -> Iterator[Row]:
    """The dose that brings each person to 2.5 for good, found between doses on a logarithmic scale."""
    scenario = load_scenario(HERE / "doses.yaml").but(draws=round(2000 * size))
    people = scenario.people()
    assert people is not None
    columns = {**people.covariates, **people.others}
    result = run_scenario(scenario).result
    given = np.log([float(dose) for dose in result["outcomes"]["regimen"].values])
    inr = result["outcomes"]["last_inr"].values[0].T  # person, dose
    needed = np.array([np.interp(2.5, one, given, left=np.nan, right=np.nan) for one in inr])
    known = np.isfinite(needed)
    for name, said in (("gage", {"explained": 53, "within 20 %": 52}), ("clinical", {"explained": [17, 22]})):
        told = np.log(columns[name])
        ours = {
            "explained": _explained(np.exp(needed[known]), np.exp(told[known])),
            "explained, of the logarithm": _explained(needed[known], told[known]),
            "within 20 %": mean_of(1.0 * (np.abs(np.exp(told - needed)[known] - 1) <= 0.2), 100),
            "needs more than 24 mg": mean_of(1.0 * ~known, 100),
        }
        if name == "gage":
            model = scenario.model
            groups = [
                columns[n] == k for n in ("vkorc1", "cyp2c9") for k in range(1, len(model.covariates()[n].levels))
            ]
            best = np.column_stack([np.ones(known.sum()), columns["age"][known], *(g[known] for g in groups)])
            fitted = best @ np.linalg.lstsq(best, needed[known], rcond=None)[0]
            ours |= {
                "explained by the best formula, of the logarithm": _explained(needed[known], fitted),
                "log-SD of the dose": spell(needed[known].std(), needed[known].std() / np.sqrt(2 * known.sum())),
            }
        row = f"Gage 2008, {'formula with genotypes' if name == 'gage' else 'clinical formula'}"
        yield {"row": row, "quantity": "% of the variance of doses explained", "ours": ours, "published": said}


def _explained(true: np.ndarray, told: np.ndarray) -> list[float]:
    """The squared correlation in percent; its standard error over 200 resamples."""
    rng = np.random.default_rng(0)
    again = [np.corrcoef(true[i], told[i])[0, 1] ** 2 for i in rng.integers(0, len(true), (200, len(true)))]
    return spell(np.corrcoef(true, told)[0, 1] ** 2, np.std(again), 100)


def _changed(path: Path, how: tuple[str, ...]) -> Scenario:
    """A scenario of warfarin whose people are others."""
    said = read(path).value
    people = said["population"]
    if "african" in how:
        people["covariates"]["cyp2c9"] = {"alleles": AFRICAN[0]}
        people["covariates"]["vkorc1"]["copies"]["frequency"] = AFRICAN[1]
    if "black" in how:
        people["others"]["black"] = {"formula": "1"}
    if "old" in how:
        people["covariates"]["age"] = {"normal": {"mean": "72 year", "sd": "5.4 year"}, "low": "65 year"}
    with tempfile.TemporaryDirectory() as folder:
        changed = Path(folder) / path.name
        changed.write_text(json.dumps(said), encoding="utf-8")
        return load_scenario(changed)


def _design(scenario: Scenario) -> Any:
    assert scenario.design is not None
    return scenario.design


# others -----------------------------------------------------------------------------------------------


def surmount(size: float) -> Iterator[Row]:
    """By who was seen (as shipped); if nobody had been lost; and the trial's other estimand."""
    scenario = load_scenario(ROOT / "scenarios" / "metabolism" / "trial.yaml")
    shipped = dataclasses.replace(_design(scenario), replicates=round(4 * size))
    efficacy = tuple(dataclasses.replace(one, strategy="hypothetical") for one in shipped.intercurrent)
    doses = ("5 mg", "10 mg", "15 mg", "placebo")
    published = {
        "weight": ("% change of weight at week 72", (-15.0, -19.5, -20.9, -3.1), 1),
        "lost 5 %": ("% who lost 5 %", (85.1, 88.9, 90.9, 34.5), 100),
        "lost 20 %": ("% who lost 20 %", (30.0, 50.1, 56.7, 3.1), 100),
    }
    for word, design in (
        ("treatment policy, of those seen", shipped),
        ("treatment policy, nobody lost", shipped.but(drop_out=None)),
        ("hypothetical, nobody given up", shipped.but(intercurrent=efficacy)),
    ):
        tree = run_trial(dataclasses.replace(scenario, design=design), example=None)
        for endpoint, (quantity, values, scale) in published.items():
            said = dict(zip(doses, values, strict=True))
            ours = of_trial(tree, endpoint, scale)
            yield {"row": f"SURMOUNT-1, {word}", "quantity": quantity, "ours": ours, "published": said}


def clarity(size: float) -> Iterator[Row]:
    scenario = load_scenario(HERE / "clarity.yaml").but(draws=round(1500 * size))
    people = scenario.people()
    assert people is not None
    result = run_scenario(scenario).result
    risk = result["outcomes"]["aria_e"]
    for k, (of_drug, of_none) in enumerate(((5.4, 0.3), (10.9, 1.9), (32.6, 3.8))):
        chosen = people.covariates["apoe4"] == k
        ours = {str(arm): mean_of(risk.sel(regimen=arm).values[0, chosen], 100) for arm in risk["regimen"].values}
        yield {
            "row": f"Clarity AD, {k} copies of APOE4", "quantity": "% with ARIA-E within 18 months", "ours": ours,
            "published": {"lecanemab": of_drug, "placebo": of_none},
        }  # fmt: skip


def neely(size: float) -> Iterator[Row]:
    result = run_scenario(HERE / "neely.yaml", draws=round(400 * size)).result
    of = {str(arm): result["outcomes"].sel(regimen=arm) for arm in result["outcomes"]["regimen"].values}
    by_area = {arm: mean_of(one["area_in_range"].values[0], 100) for arm, one in of.items()}
    by_trough = {
        arm: mean_of(1.0 * ((one["trough"].values[0] >= 10) & (one["trough"].values[0] <= 20)), 100)
        for arm, one in of.items()
    }
    yield {
        "row": "Neely 2018", "quantity": "% with an area of 400 to 800 mg h/L a day", "ours": by_area,
        "published": {"by area": [74, 82], "by trough": 80},
    }  # fmt: skip
    yield {
        "row": "Neely 2018", "quantity": "% with a trough of 10 to 20 mg/L", "ours": by_trough,
        "published": {"by area": [24, 15], "by trough": 30},
    }  # fmt: skip


def propofol(size: float) -> Iterator[Row]:
    scenario = load_scenario(ROOT / "scenarios" / "propofol" / "closed_loop.yaml")
    result = run_scenario(scenario, draws=round(100 * size)).result
    bis = result["predictions"]["bis"].sel(regimen="by BIS")
    bis = bis.isel(time=bis["time"].values >= 10)
    error = 100 * (bis.values.reshape(-1, bis.sizes["time"]) - 50) / 50
    ours = {"MDPE": mean_of(np.median(error, axis=1)), "MDAPE": mean_of(np.median(np.abs(error), axis=1))}
    yield {
        "row": "Absalom 2002, propofol by BIS", "quantity": "median error and absolute error, %", "ours": ours,
        "published": {"MDPE": 2.2, "MDAPE": 8.0},
    }  # fmt: skip


ROWS: Mapping[str, Callable[[float], Iterator[Row]]] = {
    "eu_pact": eu_pact, "coag": coag, "gift": gift, "crowther": crowther, "gage": gage, "surmount": surmount,
    "clarity": clarity, "neely": neely, "propofol": propofol,
}  # fmt: skip


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(ROWS)), help="Only these; repeatable.")
@click.option("--persons", default=1.0, help="So many times as many persons.")
def main(only: tuple[str, ...], persons: float) -> None:
    for name in only or ROWS:
        began, used = time.perf_counter(), time.process_time()
        for row in ROWS[name](persons):
            seconds, cpu = time.perf_counter() - began, time.process_time() - used
            told = {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1)}
            print(json.dumps({"benchmark": "published_trials"} | row | told), flush=True)
            began, used = time.perf_counter(), time.process_time()


if __name__ == "__main__":
    main()
