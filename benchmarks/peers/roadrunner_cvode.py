"""Worker: libRoadRunner (SUNDIALS CVODE, equations compiled by LLVM), models as SBML written through antimony.

The first dose is set before the run and the others are SBML events, so that an individual is one call.
"""

from __future__ import annotations

import antimony
import numpy as np
import roadrunner
from worker import Request, Solve, serve

# States, parameters in the workload's order, and rate rules. `infusion` is set by events.
MODELS = {
    "W1": """
        A0 = 0; A1 = 0; A2 = 0; CL = 10; V1 = 50; Q = 15; V2 = 100; ka = 1.2;
        A0' = -ka*A0 + infusion;
        A1' = ka*A0 - (CL + Q)/V1*A1 + Q/V2*A2;
        A2' = Q/V1*A1 - Q/V2*A2;
        """,
    "W2": """
        C1 = 0; C2 = 0; C3 = 0; P = 5; T1 = 5; T2 = 5; T3 = 5; Circ = 5;
        CL = 38.5; V1 = 8.31; Circ0 = 5.05; MTT = 89.3; gamma_ = 0.163; Emax = 83.9; EC50 = 7.17;
        c := C1/V1*1000/807.88;
        E := Emax*c/(EC50 + c);
        C1' = infusion - (CL/V1 + 1.07 + 1.28)*C1 + 1.74*C2 + 0.0787*C3;
        C2' = 1.07*C1 - 1.74*C2;
        C3' = 1.28*C1 - 0.0787*C3;
        P' = 4/MTT*P*((1 - E)*(Circ0/Circ)^gamma_ - 1);
        T1' = 4/MTT*(P - T1);
        T2' = 4/MTT*(T1 - T2);
        T3' = 4/MTT*(T2 - T3);
        Circ' = 4/MTT*(T3 - Circ);
        """,
    "W3": """
        D = 0; L = 0; T = 0; R = 10; P = 0; ka = 0.28; CL = 0.22; V = 3; R0 = 10; kint = 0.3;
        b := 100*L*R - 5*P;
        D' = -ka*D + infusion;
        L' = ka*D/V - (CL + 0.5)/V*L + 0.5/V*T - b;
        T' = 0.5/2.5*(L - T);
        R' = 2*R0 - 2*R - b;
        P' = b - kint*P;
        """,
    "lorenz": """
        x = 1; y = 0; z = 0; rho = 21;
        x' = 10*(y - x) + infusion;
        y' = rho*x - y - x*z;
        z' = x*y - 8/3*z;
        """,
}
NAMES = {
    "W1": (("A0", "A1", "A2"), ("CL", "V1", "Q", "V2", "ka")),
    "W2": (
        ("C1", "C2", "C3", "P", "T1", "T2", "T3", "Circ"),
        ("CL", "V1", "Circ0", "MTT", "gamma_", "Emax", "EC50"),
    ),
    "W3": (("D", "L", "T", "R", "P"), ("ka", "CL", "V", "R0", "kint")),
    "lorenz": (("x", "y", "z"), ("rho",)),
}


def prepare(request: Request) -> tuple[Solve, dict[str, str]]:
    problem, (states, numbers) = request.problem, NAMES[request.workload]
    first = next(iter(problem.stretches()))
    runner = _runner(request, states)
    places = {name: i for i, name in enumerate(runner.model.getGlobalParameterIds())}
    order = [places[name] for name in (*states, *numbers, "infusion")]

    def course(p: np.ndarray) -> np.ndarray:
        y = np.array(problem.start(tuple(p)), float)
        y[0] += first.bolus
        runner.reset()
        runner.model.setGlobalParameterValues(order, [*y, *p, first.infusion])
        found = np.array(runner.simulate(times=times))[-len(problem.times) :]
        return np.stack(problem.outputs(tuple(found.T), tuple(p)))

    times = sorted({0.0, *problem.samples})  # a run begins at the first of its times
    return lambda: np.stack([course(p) for p in request.parameters]), {"libroadrunner": roadrunner.__version__}


def _runner(request: Request, states: tuple[str, ...]) -> roadrunner.RoadRunner:
    runner = roadrunner.RoadRunner(_sbml(request, states))
    runner.setIntegrator("cvode")
    settings = {"relative_tolerance": request.rtol, "absolute_tolerance": request.atol, "maximum_num_steps": 10**6}
    if request.method == "Adams":
        settings["stiff"] = False
    for name, value in settings.items():
        runner.integrator.setValue(name, value)
    runner.timeCourseSelections = list(states)
    return runner


def _sbml(request: Request, states: tuple[str, ...]) -> str:
    lines = ["infusion = 0;", MODELS[request.workload]]
    for time, amount, length in request.problem.doses:
        if length:
            lines.append(f"at (time >= {time + length}): infusion = 0;")
        if length and time:
            lines.append(f"at (time >= {time}): infusion = {amount / length};")
        elif time:
            lines.append(f"at (time >= {time}): {states[0]} = {states[0]} + {amount};")
    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString("model workload\n" + "\n".join(lines) + "\nend") < 0:
        raise ValueError(antimony.getLastError())
    return antimony.getSBMLString("workload")


if __name__ == "__main__":
    serve(prepare)
