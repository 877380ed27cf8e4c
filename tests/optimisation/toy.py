"""What these tests share: one compartment whose area under the curve is dose / clearance, and questions about it."""

from __future__ import annotations

from typing import Any

from tests.feedback.models import Vancomycin
from twin import Patient
from twin.model import Area, Highest
from twin.optimisation.optimise import optimise
from twin.optimisation.optimum import Optimisation

MODEL = Vancomycin()
OUTCOMES = {"auc": Area(of="concentration", since=0.0, until=48.0), "highest": Highest(of="concentration")}
DOSES = ["500 mg", "750 mg", "1000 mg", "1250 mg", "1500 mg"]
AIM: dict[str, Any] = {
    "regimen": "{dose} over 1 h q{every}",
    "choose": {"dose": DOSES, "every": ["8 h", "12 h", "24 h"]},
    "maximise": {"probability": "auc", "from": 400, "to": 600},
    "search": {"draws": [32, 128, 512], "fresh": 512},
}
ANA, BEN = Patient("ana", covariates={"renal": 60.0}), Patient("ben", covariates={"renal": 130.0})


def find(aim: Any = AIM, patients: Any = ANA, **more: Any) -> Optimisation:
    how = {"outcomes": OUTCOMES, "until": "48 h", "seed": 5} | more
    return optimise(MODEL, patients, optimise=aim, **how)
