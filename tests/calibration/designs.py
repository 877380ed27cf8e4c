"""Designs on the library's models: doses and times at which somebody would be measured (values are replaced)."""

from __future__ import annotations

import twin
from twin.modelling import DiseaseModel
from twin.patient import DoseRecord, Observation, Patient


def warfarin(name: str = "warfarin") -> tuple[DiseaseModel, Patient]:
    """Three weeks at 5 mg: eight INRs and two concentrations."""
    seen = [Observation("inr", t, 2.0) for t in (36.0, 60.0, 84.0, 132.0, 180.0, 252.0, 348.0, 492.0)]
    seen += [Observation("s_warfarin", t, 0.5) for t in (84.0, 252.0)]
    told = {"age": 62, "cyp2c9": "*1/*2", "vkorc1": "GA"}
    return twin.load_model(name), Patient("design", covariates=told, doses=[FIVE], observations=seen)


FIVE = DoseRecord("5 mg", 0.0, every="24 h", doses=21)


def docetaxel() -> tuple[DiseaseModel, Patient]:
    """A first cycle: three concentrations and six neutrophil counts."""
    seen = [Observation("docetaxel", t, 1.0) for t in (1.0, 3.0, 8.0)]
    seen += [Observation("neutrophils", 24.0 * day, 3.0) for day in (0, 4, 7, 10, 14, 21)]
    told = {"sex": "female", "ecog": 1, "prior_chemotherapy": "naive", "aag": 1.3, "body_surface_area": 1.8}
    return twin.load_model("docetaxel"), Patient(
        "design", covariates=told, doses=[DoseRecord("75 mg/m2", 0.0, over="1 h")], observations=seen
    )


def diabetes() -> tuple[DiseaseModel, Patient]:
    """A meal with its bolus, and laboratory glucose every 20 minutes for six hours."""
    doses = [
        DoseRecord("70 g", 60.0, treatment="meal"),
        DoseRecord("4 U", 60.0, treatment="insulin"),
    ]
    seen = [Observation("plasma_glucose", 20.0 * i, 130.0) for i in range(19)]
    told = {"weight": 75, "usual_basal": "0.9 U/h"}
    return twin.load_model("type1_diabetes"), Patient("design", covariates=told, doses=doses, observations=seen)


DESIGNS = {"warfarin": warfarin, "docetaxel": docetaxel, "type1_diabetes": diabetes}
