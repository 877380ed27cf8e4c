"""The engine's own kernel of each model, generated: seconds from trace to machine code, registers and spills.

python benchmarks/routes/engine.py [MODEL METHOD DTYPE]          one JSON line each; without arguments, all
"""

import functools
import itertools
import json
import sys

import jax
import jax.numpy as jnp
from ahead import assembled, compiled, timed

import twin
from tests.reference import courses
from tests.solver.ensemble.test_kernel import Case, problem, setup_of
from twin.solver.ensemble.cuda import kernel_of, nvrtc, solve_in_cuda
from twin.solver.ensemble.cuda.lane import solve_lane

LANES = 128


def measured(model: str, method: str, dtype: str) -> dict:
    """With every observable sampled and every outcome of the model, as tests/solver/ensemble/test_kernel.py asks."""
    regimen, times = courses()[model]
    case = Case(lambda: twin.load_model(model), regimen, tuple(times[::8]), method, dtype=dtype, draws=LANES)
    with case.wide():
        batch = case.batch()
        shapes = jax.eval_shape(functools.partial(problem, batch), batch.arrays, jnp.arange(LANES, dtype=jnp.int32))
        tables = [jax.ShapeDtypeStruct(t.shape, t.dtype) for t in (batch.arrays["windows"], batch.arrays["bounds"])]
        leaves, structure = jax.tree.flatten(shapes)
        setup = setup_of(batch)
        (source, _), traced = timed(lambda: kernel_of(functools.partial(solve_lane, setup), (shapes,), tuple(tables)))
        ptx, translated = timed(lambda: nvrtc.ptx(source))

        def run(*arrays):
            return solve_in_cuda(setup, jax.tree.unflatten(structure, arrays[:-2]), *arrays[-2:])

        _, whole = timed(lambda: compiled(run, [*leaves, *tables]))
    return {
        "route": "generated CUDA", "model": model, "method": method, "dtype": dtype, "trace_cpu_s": traced,
        "nvrtc_cpu_s": translated, "trace_and_xla_cpu_s": whole, "source_lines": source.count("\n"), **assembled(ptx),
        "jax": jax.__version__,
    }  # fmt: skip


if __name__ == "__main__":
    everything = itertools.product(courses(), ("tsit5", "rosenbrock"), ("float32", "float64"))
    for one in [sys.argv[1:4]] if sys.argv[1:] else everything:
        print(json.dumps(measured(*one)), flush=True)
