"""Lecanemab: published half-lives, biomarkers and risks, and courses from an independent solver (SciPy)."""

from __future__ import annotations

import numpy as np

import twin
from tests.disease.typical import typical
from tests.reference import Reference
from twin.model import Average, Highest, replace
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("lecanemab_hayato2022")
MONTH = 730.0  # h, as the specification counts them
LAST = 39 * 336.0  # the 40th dose of every two weeks is the last within 18 months
STEADY = 60 * 336.0  # a dose given in the steady state

TWO_WEEKS, MONTHLY = "10 mg/kg every two weeks", "10 mg/kg every four weeks"
REGIMENS = {
    TWO_WEEKS: "10 mg/kg over 1 h q336h",
    MONTHLY: "10 mg/kg over 1 h q672h",
    "stop": "10 mg/kg over 1 h q336h x40",
}

# at 18 months, baseline SUVr 1.38, by regimen; the specification's tolerances: the figure was read to 0.02
PUBLISHED = {
    "SUVr": ((1.14, 1.215), 0.02, False),
    "plasma Ab42/40": ((0.0904, 0.0873), 0.02, True),
    "plasma p-tau181 (pg/mL)": ((3.33, 3.68), 0.02, True),
}
SOLVED = {TWO_WEEKS: 1.1283, MONTHLY: 1.2034}
AGES = {57: 1.1612, 72: 1.0900, 84: 1.0304}  # SUVr at 18 months, baseline 1.34
STOPPED = {36: 1.1748, 54: 1.2205}  # months; SUVr after stopping at 18
KINETICS = {  # Majid, 72 kg, process B, steady on every two weeks (ug/mL)
    "male": {"highest": 260.41, "before a dose": 60.40, "average": 125.79},
    "female": {"highest": 313.52, "before a dose": 83.09, "average": 159.02},
}
RISKS = {"none": 5.45, "one": 9.85, "two": 28.0}  # % at 305 ug/mL, as the discussion prints them
HALF_LIVES = {"drug": ("lecanemab, Hayato (day)", 9.5), "safety": ("lecanemab, Majid (day)", 14.5)}


def month_name(what: str, regimen: str) -> str:
    return f"{what} at 18 months, {regimen}"


def age_name(age: int) -> str:
    return f"SUVr at 18 months, every two weeks, {age} years, no e4"


def stopped_name(month: int) -> str:
    return f"SUVr at {month} months, stopped at 18"


def level_name(what: str, sex: str) -> str:
    return f"{what} lecanemab by Majid, steady, {sex} (ug/mL)"


def risk_name(alleles: str) -> str:
    return f"risk of ARIA-E at 305 ug/mL, e4 alleles: {alleles} (%)"


def reduction_name(age: int) -> str:
    return f"fall of SUVr at {age} years over that at 72"


REFERENCES = (
    *(Reference(f"half-life of {what}", days, 0.01, True, "PAPER") for what, days in HALF_LIVES.values()),
    *(
        Reference(month_name(what, regimen), value, tolerance, relative, "PAPER")
        for what, (values, tolerance, relative) in PUBLISHED.items()
        for regimen, value in zip((TWO_WEEKS, MONTHLY), values, strict=True)
    ),
    Reference(reduction_name(84), 1.24, 0.01, False, "PAPER"),
    Reference(reduction_name(57), 0.71, 0.01, False, "PAPER"),
    *(Reference(risk_name(alleles), value, 0.01, True, "PAPER") for alleles, value in RISKS.items()),
    *(
        Reference(f"{month_name('SUVr', regimen)}, solved", value, 0.0001, False, "CHK")
        for regimen, value in SOLVED.items()
    ),
    *(Reference(age_name(age), value, 0.0001, False, "CHK") for age, value in AGES.items()),
    *(Reference(stopped_name(month), value, 0.0001, False, "CHK") for month, value in STOPPED.items()),
    *(
        Reference(level_name(what, sex), value, 0.001, True, "CHK")
        for sex, levels in KINETICS.items()
        for what, value in levels.items()
    ),
)


def compute() -> dict[str, float]:
    """The same numbers from this package: everybody under every regimen, in one call."""
    ours = {f"half-life of {what}": half_life(part) for part, (what, _) in HALF_LIVES.items()}
    ours |= {risk_name(alleles): risk(alleles) for alleles in RISKS}
    hayato = {"weight": 73.7, "albumin": 42.9, "process": "A"}
    people = [Patient("mean", covariates=hayato | {"apoe4": "none"})]
    people += [Patient(str(age), covariates=hayato | {"apoe4": "none", "age": age}) for age in AGES]
    people += [Patient(sex, covariates={"sex": sex}) for sex in KINETICS]
    before = np.array([1.38, *[1.34] * len(AGES), *[1.34] * len(KINETICS)])
    seen_by, window = "safety_lecanemab", {"since": STEADY, "until": STEADY + 336.0}
    result = twin.simulate(
        MODEL, people, regimens=REGIMENS, draws=1, spread=False, individuals={"suvr_before": before[:, None]},
        outcomes={"highest": Highest(of=seen_by, **window), "average": Average(of=seen_by, **window)},
        times=[18 * MONTH, STEADY, 36 * MONTH, 54 * MONTH], until=54 * MONTH,
    )  # fmt: skip
    seen, outcomes = (result[k].to_dataset().isel(draw=0) for k in ("predictions", "outcomes"))
    at_18 = seen.isel(time=0)
    names = {"SUVr": "suvr", "plasma Ab42/40": "plasma_ratio", "plasma p-tau181 (pg/mL)": "plasma_tau"}
    for regimen in (TWO_WEEKS, MONTHLY):
        for what, name in names.items():
            ours[month_name(what, regimen)] = float(at_18[name].sel(patient="mean", regimen=regimen))
        ours[f"{month_name('SUVr', regimen)}, solved"] = ours[month_name("SUVr", regimen)]
    for age in AGES:
        ours[age_name(age)] = float(at_18["suvr"].sel(patient=str(age), regimen=TWO_WEEKS))
    for age in (57, 84):
        ours[reduction_name(age)] = (1.34 - ours[age_name(age)]) / (1.34 - ours[age_name(72)])
    for month in STOPPED:
        ours[stopped_name(month)] = float(seen["suvr"].sel(patient="mean", regimen="stop", time=month * MONTH))
    for sex in KINETICS:
        one = {"patient": sex, "regimen": TWO_WEEKS}
        ours[level_name("highest", sex)] = float(outcomes["highest"].sel(one))
        ours[level_name("average", sex)] = float(outcomes["average"].sel(one))
        ours[level_name("before a dose", sex)] = float(seen["safety_lecanemab"].sel(one).isel(time=1))
    return ours


def half_life(part: str) -> float:
    """The slower one of two compartments, in days."""
    p = typical(MODEL, weight=73.7 if part == "drug" else 72.0, albumin=42.9 if part == "drug" else 43.0)
    words = ("clearance", "volume", "exchange", "tissue_volume")
    cl, v1, q, v2 = (float(getattr(p, word if part == "drug" else f"safety_{word}")) for word in words)
    slow = np.linalg.eigvals(np.array([[-(cl + q) / v1, q / v2], [q / v1, -q / v2]])).real.max()
    return float(-np.log(2) / slow / 24)


def risk(alleles: str) -> float:
    """Per cent, at the mean highest concentration of the trial."""
    p = typical(MODEL, apoe4=alleles)
    state = MODEL.initial(p)
    state = replace(state, safety=replace(state.safety, central=305.0 * p.safety_volume))
    return 100 * float(MODEL.observables()["aria_e"].value(MODEL, 0.0, state, p))


COURSE = ("10 mg/kg over 1 h q336h x2", np.linspace(0, 1200, 26))
OUTCOMES = ("final_centiloid", "tau_change", "aria_e")


def design() -> Patient:
    """A year of treatment with three PET scans, five plasma samples and two concentrations."""
    seen = [Observation("centiloid", 730.0 * month, 80.0) for month in (0, 6, 12)]
    for name, value in (("plasma_ratio", 0.085), ("plasma_tau", 4.0)):
        seen += [Observation(name, 730.0 * month, value) for month in (0, 3, 6, 9, 12)]
    seen += [Observation("lecanemab", t, 200.0) for t in (1342.0, 1670.0)]
    told = {"age": 68, "weight": 70, "albumin": 42, "sex": "female", "ancestry": "other", "apoe4": "one"}
    told |= {"antibodies": "negative", "process": "B"}
    doses = [DoseRecord("10 mg/kg", 0.0, every="336 h", doses=27, over="1 h")]
    return Patient("design", covariates=told, doses=doses, observations=seen)
