"""Worker: scipy's LSODA (odeint, the quicker of its two doors), with equations compiled by numba."""

from __future__ import annotations

import numba
import numpy as np
import scipy
from equations import Stretch
from numba.np.unsafe.ndarray import to_fixed_tuple
from scipy.integrate import odeint
from stretched import courses, split, stops
from worker import Request, Solve, serve


def prepare(request: Request) -> tuple[Solve, dict[str, str]]:
    problem = request.problem
    states, numbers = problem.states, request.parameters.shape[1]
    equations = numba.njit(problem.rates)

    @numba.njit
    def rates(y, t, p, infusion):
        return np.array(equations(to_fixed_tuple(y, states), to_fixed_tuple(p, numbers), infusion))

    def advance(y: np.ndarray, p: np.ndarray, stretch: Stretch) -> tuple[np.ndarray, np.ndarray]:
        at = stops(stretch)
        found, told = odeint(
            rates, y, at, (p, stretch.infusion),
            rtol=request.rtol, atol=request.atol, mxstep=10**6, full_output=True,
        )  # fmt: skip
        if told["message"] != "Integration successful.":
            found = np.full_like(found, np.nan)
        return split(found, stretch)

    return lambda: courses(problem, request.parameters, advance), {"scipy": scipy.__version__}


if __name__ == "__main__":
    serve(prepare)
