"""Calibration on the command line: patients with observations become posteriors that say how far to trust them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.errors import TwinError

if TYPE_CHECKING:
    from calibration import Posterior
    from twin.scenario import Scenario


def wanted(scenario: Scenario, asked: Mapping[str, Any]) -> bool:
    """Whether observations change what is simulated."""
    chosen = scenario.settings.calibration
    return (
        asked["spread"]
        and any(patient.observations for patient in asked["patients"])
        and (chosen is None or chosen.method != "none")
    )


def calibrated(scenario: Scenario, asked: Mapping[str, Any]) -> Posterior:
    """The posterior of a scenario's patients."""
    from calibration import calibrate

    if asked["uncertainty"]:
        raise TwinError(
            "uncertainty: true cannot be combined with observations; leave it out, or set calibration: {method: none}"
        )
    chosen = scenario.settings.calibration
    return calibrate(
        asked["model"], asked["patients"], method=chosen.method if chosen else "auto", draws=asked["draws"],
        seed=asked["seed"], priors=priors_of(scenario), rtol=asked["rtol"], atol=asked["atol"],
    )  # fmt: skip


def priors_of(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """The scenario's changes of priors."""
    chosen = scenario.settings.calibration
    entries = chosen.priors.items() if chosen else ()
    return {name: entry.model_dump(exclude_none=True) for name, entry in entries}


def told(posterior: Posterior) -> str:
    """One line a patient: what the posterior rests on, how it was found, and whether to trust it."""
    lines = []
    for i, patient in enumerate(posterior.patients):
        count = int(posterior.stats["observations"][i])
        how = {
            "importance": f"importance sampling, k-hat {posterior.stats['k_hat'][i]:.2f}, "
            f"{posterior.stats['effective_draws'][i]:.0f} effective draws",
            "nuts": f"NUTS, R-hat {posterior.stats['r_hat'][i]:.3f}, "
            f"{posterior.stats['effective_draws'][i]:.0f} effective draws",
            "prior": "no measurements, the population's prior",
        }.get(posterior.method[i], posterior.method[i])
        measured = f"{count} measurement{'s' if count != 1 else ''}"
        why = f": {'; '.join(posterior.reasons[i])}" if posterior.reasons[i] else ""
        lines.append(f"{patient.id}: calibrated on {measured} by {how}; {posterior.verdict[i]}{why}")
    return "\n".join(lines)


def table(posterior: Posterior) -> list[dict[str, Any]]:
    """A row for each patient and parameter."""
    summary, declared = posterior.summary(), posterior.model.parameters()
    rows = []
    for i, patient in enumerate(posterior.patients):
        for j, name in enumerate(posterior.prior.names):
            numbers = {n: float(summary[n].values[i, j]) for n in ("mean", "sd", "q5", "median", "q95", "contraction")}
            rows.append(
                {"patient": patient.id, "parameter": name, "unit": declared[name].unit, **numbers,
                 "method": posterior.method[i], "verdict": posterior.verdict[i]}
            )  # fmt: skip
    return rows


def calibrate_all(paths: Sequence[str], *, out: Path, instead: Mapping[str, Any]) -> int:
    """Calibrates the patients of every scenario into a folder of its own; returns how many scenarios failed."""
    from twin import dataset

    from .workflow import arguments, each_scenario, writing

    def work(scenario: Scenario, folder: Path) -> str:
        posterior = demanded(scenario, arguments(scenario, instead))
        with writing(folder):
            said = _written(posterior, folder)
            dataset.add_ingest(folder / "posterior.zarr", scenario.reports())
        return said

    return each_scenario(paths, out, work, did="calibrated")


def demanded(scenario: Scenario, asked: Mapping[str, Any]) -> Posterior:
    """The posterior where one was asked for; an error if there is nothing to calibrate on."""
    if not wanted(scenario, asked):
        raise TwinError("no patient has observations to calibrate on, or calibration is switched off")
    return calibrated(scenario, asked)


def _written(posterior: Posterior, folder: Path) -> str:
    """Stores a posterior as a dataset, a table and a figure, and returns what is said of it."""
    import csv

    from .report.posterior import draw

    folder.mkdir(parents=True, exist_ok=True)
    posterior.save(folder / "posterior.zarr")
    rows = table(posterior)
    with open(folder / "posterior.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    draw(posterior, folder / "posterior.png")
    lines = [
        told(posterior),
        "",
        f"{'patient':16}{'parameter':26}{'unit':10}{'median':>10}  [5 %, 95 %]           learned",
    ]
    for row in rows:
        interval = f"[{row['q5']:.3g}, {row['q95']:.3g}]"
        lines.append(
            f"{row['patient']:16}{row['parameter']:26}{row['unit']:10}{row['median']:10.4g}  {interval:20}"
            f"{100 * max(row['contraction'], 0):7.0f} %"
        )
    return "\n".join([*lines, f"{folder}: posterior.zarr, posterior.csv, posterior.png"])
