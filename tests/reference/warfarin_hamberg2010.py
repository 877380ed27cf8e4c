"""Warfarin 2010: maintenance doses and steady states from an independent implementation (SciPy LSODA)."""

from __future__ import annotations

import twin
from tests.reference import Reference
from tests.reference.warfarin_hamberg2007 import COURSE, design

MODEL = twin.load_model("warfarin_hamberg2010")
GENOTYPES = ("GG", "GA", "AA")

# mg racemate a day for a steady-state INR of 2.5, 70 years, by VKORC1 in the order of GENOTYPES
DOSES = {
    "*1/*1": (7.73, 5.68, 3.62),
    "*1/*3": (4.81, 3.53, 2.25),
    "*3/*3": (1.88, 1.38, 0.88),
}
STEADY = (1.94, 2.31, 3.10)  # INR after 90 days of 5 mg a day, *1/*1, 70 years


def dose_name(diplotype: str, genotype: str, dose: float) -> str:
    return f"INR after 90 days of {dose:g} mg/day, {diplotype} {genotype}, 70 years"


# The doses are printed to 0.01 mg/day, the INR to 0.01: 0.5 % holds both.
REFERENCES = (
    *(
        Reference(dose_name(diplotype, genotype, dose), 2.5, 0.005, True, "CHK")
        for diplotype, doses in DOSES.items()
        for genotype, dose in zip(GENOTYPES, doses, strict=True)
    ),
    *(
        Reference(dose_name("*1/*1", genotype, 5.0), inr, 0.005, True, "CHK")
        for genotype, inr in zip(GENOTYPES, STEADY, strict=True)
    ),
)


def compute() -> dict[str, float]:
    """The same numbers from this package: everyone under every dose, in one call."""
    amounts = {dose for doses in DOSES.values() for dose in doses} | {5.0}
    final = twin.simulate(
        MODEL,
        [
            twin.Patient(f"{diplotype} {genotype}", covariates={"age": 70, "cyp2c9": diplotype, "vkorc1": genotype})
            for diplotype in DOSES
            for genotype in GENOTYPES
        ],
        regimens={f"{amount:g}": f"{amount} mg q24h x90" for amount in sorted(amounts)},
        outcomes=["final_inr"],
        draws=1,
        spread=False,
        times=[],
    )["outcomes"]["final_inr"]
    cases = [(d, g, dose) for d, doses in DOSES.items() for g, dose in zip(GENOTYPES, doses, strict=True)]
    return {
        dose_name(diplotype, genotype, dose): float(
            final.sel(patient=f"{diplotype} {genotype}", regimen=f"{dose:g}").item()
        )
        for diplotype, genotype, dose in [*cases, *(("*1/*1", g, 5.0) for g in GENOTYPES)]
    }


OUTCOMES = ("highest_inr", "first_therapeutic")

__all__ = ["COURSE", "OUTCOMES", "REFERENCES", "compute", "design"]
