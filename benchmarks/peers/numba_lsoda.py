"""Worker: numbalsoda (LSODA in C++, called from numba), the loop over individuals compiled too."""

from __future__ import annotations

import importlib.metadata

import numba
import numpy as np
from equations import Problem
from numba.np.unsafe.ndarray import to_fixed_tuple
from numbalsoda import lsoda, lsoda_sig
from stretched import stops
from worker import Request, Solve, serve


def prepare(request: Request) -> tuple[Solve, dict[str, str]]:
    solve = _loop(request.problem, request.rtol, request.atol, request.parameters.shape[1])
    return lambda: solve(request.parameters), {"numbalsoda": importlib.metadata.version("numbalsoda")}


def _address(problem: Problem, numbers: int) -> int:
    """A C function for the solver; its data are the parameters and, last, the infusion."""
    equations, states = numba.njit(problem.rates), problem.states

    @numba.cfunc(lsoda_sig)
    def rates(t, y_pointer, out, data):
        y = to_fixed_tuple(numba.carray(y_pointer, (states,)), states)
        p = numba.carray(data, (numbers + 1,))
        found = equations(y, to_fixed_tuple(p[:numbers], numbers), p[numbers])
        for i in range(states):
            out[i] = found[i]

    _KEPT.append(rates)
    return rates.address


_KEPT: list = []  # compiled callbacks live as long as somebody holds them


def _loop(problem: Problem, rtol: float, atol: float, numbers: int):
    """Compiled loop over individuals and stretches; plans are padded to one length with NaN."""
    address, states = _address(problem, numbers), problem.states
    start, outputs = numba.njit(problem.start), numba.njit(problem.outputs)
    stretches = list(problem.stretches())
    longest = max(len(stops(s)) for s in stretches)
    plan = np.array([np.pad(stops(s), (0, longest - len(stops(s))), constant_values=np.nan) for s in stretches])
    lengths = np.array([len(stops(s)) for s in stretches])
    sampled = np.array([len(s.samples) for s in stretches])
    given = np.array([[s.bolus, s.infusion] for s in stretches])
    first = int(problem.samples[0] == 0)

    @numba.njit
    def solve(parameters):
        some = to_fixed_tuple(parameters[0], numbers)
        wide = len(outputs(start(some), some))
        found = np.full((len(parameters), wide, first + sampled.sum()), np.nan)
        for i in range(len(parameters)):
            p = to_fixed_tuple(parameters[i], numbers)
            y = np.array(start(p))
            if first:
                found[i, :, 0] = np.array(outputs(to_fixed_tuple(y, states), p))
            at = first
            for k in range(len(plan)):
                y[0] += given[k, 0]
                data = np.append(parameters[i], given[k, 1])
                course, good = lsoda(address, y, plan[k, : lengths[k]], data, rtol, atol)
                if not good:
                    break
                for j in range(sampled[k]):
                    found[i, :, at] = np.array(outputs(to_fixed_tuple(course[j + 1], states), p))
                    at += 1
                y = course[-1].copy()
        return found

    return solve


if __name__ == "__main__":
    serve(prepare)
