"""Writes docs/figures/modalities.png: what one patient's posterior would be without each kind of records.

    python docs/modalities.py          (a minute or two; prints the table behind the figure)

The patient of scenarios/sunitinib/four_modalities.yaml is calibrated five times, in one batch: with everything, and
without each modality. Without the genome file the genotype has its chances in the population.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import calibration  # noqa: E402
import twin  # noqa: E402
from cli.report.figure import COLOURS, INK, STYLE, with_unit  # noqa: E402
from twin.model import DiseaseModel  # noqa: E402
from twin.patient import BoundPatient  # noqa: E402

SCENARIO = ROOT / "scenarios" / "sunitinib" / "four_modalities.yaml"
FIGURE = ROOT / "docs" / "figures" / "modalities.png"
REGIMEN = "37.5_mg_every_day"
DRAWS, SEED = 6000, 13
ALL, NO_GENE = "everything", "without the genotype"
LEFT_OUT = {"without laboratory": "lab", "without lesions": "imaging", "without blood pressure": "wearable"}
PARAMETERS = {"svegfr3_half": "AUC that halves sVEGFR-3", "diastolic_slope": "pressure per AUC", "clearance": ""}
OUTCOMES = ("neutrophil_nadir", "highest_diastolic", "final_tumour_size")


def variants(patient: BoundPatient, model: DiseaseModel) -> list[BoundPatient]:
    """The patient as known with everything, and without each modality."""
    found = [dataclasses.replace(patient, id=ALL)]
    for name, modality in LEFT_OUT.items():
        kept = tuple(o for o in patient.observations if model.observables()[o.observable].modality != modality)
        found.append(dataclasses.replace(patient, id=name, observations=kept))
    shares = enumerate(model.covariates()["cyp3a4"].frequencies.values())
    chances = {"cyp3a4": tuple((float(level), share) for level, share in shares)}
    return [*found, dataclasses.replace(patient, id=NO_GENE, chances=chances)]


def computed() -> dict[str, dict[str, np.ndarray]]:
    """Draws of each quantity, by variant."""
    scenario = twin.load_scenario(SCENARIO)
    model = scenario.model
    (patient,) = scenario.patients
    posterior = calibration.calibrate(model, variants(patient, model), draws=DRAWS, seed=SEED)
    for one, method, verdict, k in zip(
        posterior.patients, posterior.method, posterior.verdict, posterior.stats["k_hat"], strict=True
    ):
        print(f"{one.id}: {len(one.observations)} measurements, {method}, k-hat {k:.2f}, {verdict}", file=sys.stderr)
    result = twin.simulate(
        model, posterior.patients, regimens={REGIMEN: scenario.regimens[REGIMEN]},
        outcomes=scenario.outcomes, until=scenario.settings.until, draws=DRAWS, seed=SEED,
        **posterior.individuals,
    )  # fmt: skip
    found: dict[str, dict[str, np.ndarray]] = {}
    for i, one in enumerate(posterior.patients):
        for name, meaning in PARAMETERS.items():
            title = with_unit(meaning or name, model.parameters()[name].unit)
            found.setdefault(title, {})[one.id] = posterior.parameters[name][i]
        for name in OUTCOMES:
            values = result["outcomes"][name]
            title = with_unit(f"{name.replace('_', ' ')}, predicted", values.attrs["unit"])
            found.setdefault(title, {})[one.id] = values.sel(patient=one.id).values.ravel()
    return found


def width(draws: np.ndarray) -> float:
    """Of the middle 90 %."""
    low, high = np.quantile(draws, [0.05, 0.95])
    return float(high - low)


def draw(found: dict[str, dict[str, np.ndarray]]) -> None:
    """A panel a quantity: the middle 90 % of its draws by variant, and how many times wider it is."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with matplotlib.rc_context(STYLE):
        figure, grid = plt.subplots(2, 3, figsize=(10.5, 4.6), dpi=110, sharey=True)
        for axes, (title, by_variant) in zip(grid.ravel(), found.items(), strict=True):
            _panel(axes, title, by_variant)
        figure.savefig(FIGURE, bbox_inches="tight", pad_inches=0.12)
        plt.close(figure)


def _panel(axes: Any, title: str, by_variant: dict[str, np.ndarray]) -> None:
    names = list(by_variant)
    for row, (name, draws) in enumerate(by_variant.items()):
        low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95])
        times = width(draws) / width(by_variant[ALL])
        colour = COLOURS[0] if name == ALL else COLOURS[1] if times > 1.3 else COLOURS[6]
        axes.plot([low, high], [row, row], color=colour, linewidth=5, solid_capstyle="butt")
        axes.plot(middle, row, "o", color=INK, markersize=4, markerfacecolor="white", zorder=5)
        if name != ALL:
            axes.annotate(f"x {times:.1f}", (high, row), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.margins(x=0.16)
    axes.set_title(title, fontsize=9)


def main() -> None:
    found = computed()
    for title, by_variant in found.items():
        widths = ", ".join(f"{name} {width(draws):.3g}" for name, draws in by_variant.items())
        print(f"{title}: {widths}")
    draw(found)


if __name__ == "__main__":
    main()
