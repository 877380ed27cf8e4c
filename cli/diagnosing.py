"""Diagnosis on the command line: runs the checks of `calibration.check` on a scenario, and says what they show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from twin.errors import TwinError
from twin.scenario import Scenario, load_scenario

from . import calibrating
from .diagnosing_fits import diagnose_scenario
from .result_folder import choose, replacing, writing
from .runtime import prepare_jax

_MOST_PATIENTS = 20  # of whom the terminal says what was learned
_COHORT = 5  # measured patients from which a predictive check over time says something


def diagnose_one(
    path: str, *, out: Path, replicates: int | None, instead: Mapping[str, Any], permitted: Mapping[str, Any]
) -> None:
    """Prints what the checks show, and stores them."""
    prepare_jax()
    import calibration
    from calibration.answer import calibrate_patients, how_to_calibrate

    from .report.diagnosis_figure import draw

    scenario = load_scenario(path, **permitted).but(**instead)
    if scenario.file.fit is not None:
        return diagnose_scenario(scenario, path, out=out)
    posterior, seed = calibrate_patients(scenario), scenario.settings.seed
    click.echo(calibrating.describe(posterior) + "\n")
    found = calibration.checks(posterior, seed=seed)
    click.echo("\n".join(_predictive_lines(found)))
    click.echo("\n".join(["", *_identifiability(posterior)]))
    how = how_to_calibrate(scenario)
    click.echo("\n".join(["", *_forecast(scenario, how)]))
    predictive = None
    if sum(bool(p.observations) for p in scenario.patients) >= _COHORT:
        predictive = calibration.vpc(posterior.target, corrected=True, seed=seed)
    ranks = None
    if replicates:
        first = next(p for p in scenario.patients if p.observations)
        ranks = calibration.sbc(scenario.model, first, replicates, **how)
        click.echo("\n".join(["", *_ranks(first.id, ranks, replicates)]))
    folder = choose([path], out)[path]
    with replacing(folder, scenario, owns=("checks.csv", "diagnose.png")) as part, writing(folder):
        found.to_dataframe().to_csv(part / "checks.csv", index=False)
        draw(found, predictive, ranks, part / "diagnose.png", time_unit=scenario.model.time_unit)
    click.echo(f"\n{folder}: checks.csv, diagnose.png")


def _predictive_lines(found: Any) -> list[str]:
    lines = ["measurements among their replicates (npde: mean 0 and SD 1 if model and population fit)"]
    lines.append(f"{'observable':26}{'count':>6}{'in 50 %':>10}{'in 90 %':>10}{'npde mean':>11}{'npde SD':>9}")
    for name in dict.fromkeys(found["observable"].values):
        mine = found["observable"].values == name
        pit, npde = found["pit"].values[mine], found["npde"].values[mine]
        inside = [100 * np.mean(np.abs(pit - 0.5) <= half) for half in (0.25, 0.45)]
        spread = f"{npde.std(ddof=1):9.2f}" if len(npde) > 1 else f"{'-':>9}"
        lines.append(f"{name:26}{mine.sum():6}{inside[0]:8.0f} %{inside[1]:8.0f} %{npde.mean():11.2f}{spread}")
    return lines


def _identifiability(posterior: Any) -> list[str]:
    """What was learned, and what the data cannot tell apart."""
    lines = ["what the data tell (0 %: nothing beyond the prior), and parameters they cannot tell apart"]
    names = posterior.prior.names
    for i, patient in enumerate(posterior.patients[:_MOST_PATIENTS]):
        shares = zip(names, posterior.contraction[i], strict=True)
        learned = ", ".join(f"{name} {100 * max(share, 0):.0f} %" for name, share in shares)
        alike = np.corrcoef(posterior.u[i], rowvar=False).reshape(len(names), len(names))
        pairs = [(a, b) for a in range(len(names)) for b in range(a) if abs(alike[a, b]) > 0.9]
        together = ", ".join(f"{names[a]} with {names[b]} ({alike[a, b]:+.2f})" for a, b in pairs)
        lines.append(f"{patient.id}: {learned}" + (f"; together: {together}" if together else ""))
    if (count := len(posterior.patients)) > _MOST_PATIENTS:
        lines.append(
            f"{_MOST_PATIENTS} of {count} patients; 'twin calibrate' stores what was learned of all as posterior.csv"
        )
    return lines


def _forecast(scenario: Scenario, how: Mapping[str, Any]) -> list[str]:
    import calibration

    try:
        skills = calibration.forecast(scenario.model, scenario.patients, **how)
    except TwinError as problem:
        return [f"no forecast: {problem}"]
    lines = ["the later half of measurements, predicted from the earlier (CRPS: smaller is better)"]
    lines.append(f"{'observable':26}{'count':>6}{'in 50 %':>10}{'in 90 %':>10}{'CRPS':>10}{'by the population':>20}")
    for name, skill in skills.items():
        shares = f"{100 * skill.covered_50:8.0f} %{100 * skill.covered_90:8.0f} %"
        lines.append(f"{name:26}{skill.count:6}{shares}{skill.crps:10.3g}{skill.crps_before:20.3g}")
    return lines


def _ranks(who: str, ranks: Any, replicates: int) -> list[str]:
    verdict = "even" if ranks.uniform else "NOT even: do not trust this calibration"
    lines = [f"simulation-based calibration, {replicates} patients like {who}: ranks are {verdict}"]
    lines += [f"  {name}: p = {p:.3f}" for name, p in ranks.p_values.items()]
    return [*lines, f"  left out as not trusted: {ranks.left_out}"]
