"""Worker: SUNDIALS CVODES through CasADi, equations and their Jacobian as symbols, individuals mapped in C++."""

from __future__ import annotations

import casadi
import numpy as np
from equations import Problem, Stretch
from stretched import stops
from worker import Request, Solve, serve


def prepare(request: Request) -> tuple[Solve, dict[str, str]]:
    problem, parameters = request.problem, request.parameters
    stretches = list(problem.stretches())
    solvers = [_solver(problem, s, request).map(len(parameters)) for s in stretches]

    def solve() -> np.ndarray:
        numbers = np.array(parameters.T)
        y = np.array([np.broadcast_to(v, len(parameters)) for v in problem.start(tuple(numbers))], float)
        found = [y[:, :, None]] if problem.samples[0] == 0 else []
        for stretch, solver in zip(stretches, solvers, strict=True):
            y = y.copy()
            y[0] += stretch.bolus
            ends = np.array(solver(x0=y, p=numbers)["xf"]).reshape(problem.states, len(parameters), -1)
            found.append(ends[:, :, : len(stretch.samples)])
            y = ends[:, :, -1]
        states = np.concatenate(found, axis=2)
        return np.stack(problem.outputs(tuple(states), tuple(numbers[:, :, None])), axis=1)

    return solve, {"casadi": casadi.__version__}


def _solver(problem: Problem, stretch: Stretch, request: Request) -> casadi.Function:
    y, p = casadi.SX.sym("y", problem.states), casadi.SX.sym("p", request.parameters.shape[1])
    rates = problem.rates(tuple(casadi.vertsplit(y)), tuple(casadi.vertsplit(p)), stretch.infusion)
    equations = {"x": y, "p": p, "ode": casadi.vertcat(*rates)}
    options = {
        "reltol": request.rtol,
        "abstol": request.atol,
        "linear_multistep_method": request.method.lower(),
        "max_num_steps": 10**6,
    }
    return casadi.integrator("stretch", "cvodes", equations, stretch.begin, list(stops(stretch)[1:]), options)


if __name__ == "__main__":
    serve(prepare)
