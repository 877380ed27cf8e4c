"""Patient digital twins: mechanistic disease models that answer what-if questions about treatment.

import twin

model = twin.load_model("warfarin")
patient = twin.Patient("ana", covariates={"age": 71, "cyp2c9": "*1/*3"})
result = twin.simulate(model, patient, regimens={"usual": "5 mg q24h x30"}, draws=500, seed=7)
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calibration.answer import optimise_scenario, run_benefit, run_scenario, run_trial
    from calibration.population.answer import run_fit

    from .api.benefit import who_benefits
    from .api.export import export_population
    from .api.nca import nca
    from .api.population import virtual_population
    from .api.sampling import information, optimal_sampling
    from .api.simulate import simulate, stream
    from .api.solve import solve
    from .api.solve_many import solve_many
    from .api.trial import trial
    from .errors import DomainWarning, TwinError
    from .library import load_model, model_names
    from .model import DiseaseModel
    from .model.extension import extend, renew
    from .optimisation.optimise import optimise
    from .patient import Observation, Patient, load_patient
    from .population.virtual import Population
    from .regimen import Dose, Regimen
    from .result.contrast import contrast
    from .result.dataset import load as load_result
    from .result.dataset import save as save_result
    from .result.population import load_population
    from .result.summary import summarise
    from .result.twin import Twin, load_twin
    from .run.processor import fast_cpu
    from .scenario import load_scenario
    from .settings import Settings

__all__ = [
    "DiseaseModel",
    "DomainWarning",
    "Dose",
    "Observation",
    "Patient",
    "Population",
    "Regimen",
    "Settings",
    "Twin",
    "TwinError",
    "contrast",
    "export_population",
    "extend",
    "fast_cpu",
    "information",
    "load_model",
    "load_patient",
    "load_population",
    "load_result",
    "load_scenario",
    "load_twin",
    "model_names",
    "nca",
    "optimal_sampling",
    "optimise",
    "optimise_scenario",
    "renew",
    "run_benefit",
    "run_fit",
    "run_scenario",
    "run_trial",
    "save_result",
    "simulate",
    "solve",
    "solve_many",
    "stream",
    "summarise",
    "trial",
    "virtual_population",
    "who_benefits",
]

# Names are imported on first use, so that `import twin` (and every command that solves nothing) does not
# wait for JAX.
_HOME = {
    "DiseaseModel": "model",
    "DomainWarning": "errors",
    "Dose": "regimen",
    "Observation": "patient",
    "Patient": "patient",
    "Population": "population.virtual",
    "Regimen": "regimen",
    "Settings": "settings",
    "Twin": "result.twin",
    "TwinError": "errors",
    "contrast": "result.contrast",
    "export_population": "api.export",
    "extend": "model.extension",
    "fast_cpu": "run.processor",
    "information": "api.sampling",
    "load_model": "library",
    "load_patient": "patient",
    "load_population": "result.population",
    "load_result": "result.dataset",
    "load_scenario": "scenario",
    "load_twin": "result.twin",
    "model_names": "library",
    "nca": "api.nca",
    "optimal_sampling": "api.sampling",
    "optimise": "optimisation.optimise",
    "optimise_scenario": "calibration.answer",
    "renew": "model.extension",
    "run_benefit": "calibration.answer",
    "run_fit": "calibration.population.answer",
    "run_scenario": "calibration.answer",
    "run_trial": "calibration.answer",
    "save_result": "result.dataset",
    "simulate": "api.simulate",
    "solve": "api.solve",
    "solve_many": "api.solve_many",
    "stream": "api.simulate",
    "summarise": "result.summary",
    "trial": "api.trial",
    "virtual_population": "api.population",
    "who_benefits": "api.benefit",
}
_OTHER_NAME = {"load_result": "load", "save_result": "save"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'twin' has no attribute '{name}'")
    home = _HOME[name]
    module = importlib.import_module(home if home.startswith("calibration") else f".{home}", __name__)
    value = getattr(module, _OTHER_NAME.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
