"""Calibration: a patient's data and a model's declared spread -> a checked posterior for that patient.

    posterior = calibration.calibrate(model, patients)
    posterior.summary(), posterior.verdict
    twin.simulate(posterior.twin, regimens=...)

This package sits between `twin`, which it imports, and `cli`, which imports it.
"""

from .answer import Answer, run_scenario
from .check.forecast import forecast
from .check.predictive import checks, vpc
from .check.sbc import sbc
from .feedback import choose_dose
from .fit import calibrate
from .ladder import METHODS
from .population.answer import run_fit
from .population.diagnose.average import Average, average
from .population.diagnose.compare import compare, likelihood_ratio
from .population.fit import PopulationFit, fit_population
from .population.store import load_fit
from .posterior import Posterior
from .prior import Prior
from .replay import Replay, replay
from .target import Target
from .update import update

__all__ = [
    "METHODS", "Answer", "Average", "PopulationFit", "Posterior", "Prior", "Replay", "Target", "average", "calibrate",
    "checks", "choose_dose", "compare", "fit_population", "forecast", "likelihood_ratio", "load_fit", "replay",
    "run_fit", "run_scenario", "sbc", "update", "vpc",
]  # fmt: skip
