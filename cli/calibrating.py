"""Calibration on the command line: patients with observations become posteriors that say how far to trust them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.errors import TwinError

if TYPE_CHECKING:
    from calibration import Posterior, Replay
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
        censored=chosen.censored if chosen else "m3",
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
            "walkers": f"walkers, R-hat {posterior.stats['r_hat'][i]:.3f}, "
            f"{posterior.stats['effective_draws'][i]:.0f} effective draws",
            "nuts": f"NUTS, R-hat {posterior.stats['r_hat'][i]:.3f}, "
            f"{posterior.stats['effective_draws'][i]:.0f} effective draws",
            "prior": "no measurements, the population's prior",
        }.get(posterior.method[i], posterior.method[i])
        measured = f"{count} measurement{'s' if count != 1 else ''}"
        why = f": {'; '.join(posterior.reasons[i])}" if posterior.reasons[i] else ""
        lines.append(f"{patient.id}: calibrated on {measured} by {how}; {posterior.verdict[i]}{why}")
        for name, chances in posterior.chances(i).items():
            shares = ", ".join(f"{level} {100 * share:.0f} %" for level, share in chances.items())
            lines.append(f"{patient.id}: {name} is not certain; given the measurements: {shares}")
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
    from twin.result import dataset

    from .scenarios import arguments, each_scenario, writing

    def work(scenario: Scenario, folder: Path) -> str:
        asked = arguments(scenario, instead)
        posterior = demanded(scenario, asked)
        replayed = _replayed(scenario, asked)
        with writing(folder):
            said = _written(posterior, folder)
            dataset.add_ingest(folder / "posterior.zarr", scenario.reports())
            return said if replayed is None else f"{said}\n\n{_written_steps(replayed, posterior.model, folder)}"

    return each_scenario(paths, out, work, did="calibrated")


def demanded(scenario: Scenario, asked: Mapping[str, Any]) -> Posterior:
    """The posterior where one was asked for; an error if there is nothing to calibrate on."""
    if not wanted(scenario, asked):
        raise TwinError("no patient has observations to calibrate on, or calibration is switched off")
    return calibrated(scenario, asked)


def _replayed(scenario: Scenario, asked: Mapping[str, Any]) -> Replay | None:
    """The measurements replayed, if the scenario asks for it."""
    from calibration import replay

    chosen = scenario.settings.calibration
    if chosen is None or chosen.replay is None:
        return None
    return replay(
        asked["model"], [p for p in asked["patients"] if p.observations], every=chosen.replay, seed=asked["seed"],
        method=chosen.method, draws=asked["draws"], priors=priors_of(scenario), censored=chosen.censored,
        rtol=asked["rtol"], atol=asked["atol"],
    )  # fmt: skip


def _written_steps(replayed: Replay, model: Any, folder: Path) -> str:
    """Stores a replay as two tables and a figure, and returns what is said of it."""
    import numpy as np

    from calibration.posterior import SURPRISING

    from .report.replay_figure import draw
    from .report.text import readable_time

    steps, forecasts = replayed
    unknowns = steps["unknown"].values
    table = {name: steps[name].values for name in ("of_patient", "time", "known", "drift", "method", "verdict")}
    for i, name in enumerate(unknowns):
        table |= {f"{name}_{word}": steps[word].values[:, i] for word in ("mean", "sd", "q5", "median", "q95")}
    _csv(folder / "replay.csv", table)
    _csv(folder / "forecasts.csv", {name: forecasts[name].values for name in forecasts})
    draw(replayed, model, folder / "replay.png")
    unit, scale = readable_time(model.time_unit, float(np.ptp(steps["time"].values)))
    lines = [f"{'patient':16}{unit:>9}{'known':>7}{'drift p':>9}  " + "".join(f"{f'sd {n}':>24}" for n in unknowns)]
    for k in range(steps.sizes["step"]):
        drift = float(steps["drift"].values[k])
        said = f"{drift:9.3f}{'!' if drift < SURPRISING else ' '}" if drift == drift else f"{'-':>9} "
        sds = "".join(f"{value:24.3g}" for value in steps["sd"].values[k])
        who, when, known = (steps[name].values[k] for name in ("of_patient", "time", "known"))
        lines.append(f"{who:16}{when / scale:9.4g}{known:7} {said} {sds}")
    inside = (forecasts["value"] >= forecasts["q5"]) & (forecasts["value"] <= forecasts["q95"])
    read = forecasts["bound"].values == 0
    if read.any():
        lines.append(
            f"{read.sum()} measurements predicted before they came: {100 * inside.values[read].mean():.0f} % inside "
            f"90 %, CRPS {np.nanmean(forecasts['crps'].values):.3g}"
        )
    if (steps["drift"].values < SURPRISING).any():
        lines.append(
            "! what came then did not fit what was known: a change in the patient, a dose not taken, or an error"
        )
    return "\n".join([*lines, f"{folder}: replay.csv, forecasts.csv, replay.png"])


def _csv(path: Path, columns: Mapping[str, Any]) -> None:
    import csv

    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _written(posterior: Posterior, folder: Path) -> str:
    """Stores a posterior as a dataset, a table and a figure, and returns what is said of it."""
    from .report.posterior_figure import draw

    folder.mkdir(parents=True, exist_ok=True)
    posterior.save(folder / "posterior.zarr")
    rows = table(posterior)
    _csv(folder / "posterior.csv", {name: [row[name] for row in rows] for name in rows[0]})
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
