"""Calibration on the command line: patients with observations become posteriors that say how far to trust them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .result_folder import replacing, writing
from .scenarios import each_scenario

if TYPE_CHECKING:
    from calibration import Posterior, Replay
    from twin.scenario import Scenario


_POSTERIOR = ("posterior.zarr", "twin.zarr", "posterior.csv", "posterior.png")
_REPLAY = ("replay.csv", "forecasts.csv", "replay.png")


def describe(posterior: Posterior) -> str:
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


def calibrate_all(paths: Sequence[str], *, out: Path, instead: Mapping[str, Any], permitted: Mapping[str, Any]) -> int:
    """Calibrates the patients of every scenario into a folder of its own; returns how many scenarios failed."""
    from calibration.answer import calibrate_patients, replay_patients
    from twin.result import dataset

    from .report import posterior_figure, replay_figure

    def work(scenario: Scenario, folder: Path) -> str:
        scenario = scenario.but(**instead)
        with replacing(folder, scenario, owns=(*_POSTERIOR, *_REPLAY)) as part:
            posterior, replayed = calibrate_patients(scenario), replay_patients(scenario)
            with writing(folder):
                said = f"{_write(posterior, part)}\n{_files(folder, _POSTERIOR, posterior_figure.left_out(posterior))}"
                dataset.add_ingest(part / "posterior.zarr", scenario.reports)
                if replayed is not None:
                    steps = _written_steps(replayed, posterior.model, part)
                    said += f"\n\n{steps}\n{_files(folder, _REPLAY, replay_figure.left_out(replayed))}"
        return said

    return each_scenario(paths, out, work, did="calibrated", permitted=permitted)


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
    _csv(folder / "forecasts.csv", {str(name): forecasts[name].values for name in forecasts})
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
    return "\n".join(lines)


def _csv(path: Path, columns: Mapping[str, Any]) -> None:
    import csv

    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _write(posterior: Posterior, folder: Path) -> str:
    """Stores a posterior as a dataset, a table and a figure, and returns what is said of it."""
    from .report.posterior_figure import draw

    posterior.save(folder / "posterior.zarr")
    posterior.twin.save(folder)
    rows = table(posterior)
    _csv(folder / "posterior.csv", {name: [row[name] for row in rows] for name in rows[0]})
    draw(posterior, folder / "posterior.png")
    lines = [
        describe(posterior),
        "",
        f"{'patient':16}{'parameter':26}{'unit':10}{'median':>10}  [5 %, 95 %]           learned",
    ]
    for row in rows:
        interval = f"[{row['q5']:.3g}, {row['q95']:.3g}]"
        lines.append(
            f"{row['patient']:16}{row['parameter']:26}{row['unit']:10}{row['median']:10.4g}  {interval:20}"
            f"{100 * max(row['contraction'], 0):7.0f} %"
        )
    return "\n".join(lines)


def _files(folder: Path, names: Sequence[str], lacks: Sequence[str]) -> str:
    """Where the files are, the figure last, with what it has no room for."""
    return f"{folder}: {', '.join([*names[:-1], describe_figure(names[-1], lacks)])}"


def describe_figure(figure: str, lacks: Sequence[str]) -> str:
    """A figure's name, and what it has no room for."""
    return f"{figure} (shows {'; '.join(lacks)})" if lacks else figure
