"""Other tools on the same workloads, as lines of the same form: which there are, and how each is run.

Tolerances are the loosest found, by half decades, with which the largest error of the first 200 individuals stays
under 1e-4. Rates are per trajectory, so slow tools solve few of them.
"""

from __future__ import annotations

from .compiled import Compiled, gpu_name
from .peer import Job, Peer, PeerFailed, PeerMissing
from .scripted import OUR_PYTHON, Scripted, Settings

__all__ = ["PEERS", "Job", "Peer", "PeerFailed", "PeerMissing"]

_BATCH = 16_384 if gpu_name() else 256  # on a CPU more are slower
_FAST_MATH = ("-use_fast_math",)

PEERS: dict[str, Peer] = {
    "diffrax": Scripted(
        "diffrax vmap", "diffrax_vmap.py", ("diffrax",), ("diffrax",),
        {
            "W1": Settings(1e-3, 1e-6, _BATCH, "Tsit5"),
            "W2": Settings(1e-5, 1e-9, _BATCH, "Tsit5"),
            "W3": Settings(1e-4, 1e-6, 64, "Kvaerno5"),
            "lorenz": Settings(1e-6, 1e-7, _BATCH, "Tsit5", "float32"),
        },
        OUR_PYTHON,
    ),
    "roadrunner": Scripted(
        "libroadrunner CVODE", "roadrunner_cvode.py", ("libroadrunner", "antimony"), ("roadrunner", "antimony"),
        {
            "W1": Settings(1e-5, 1e-7, method="BDF"),
            "W2": Settings(1e-6, 1e-10, method="BDF"),
            "W3": Settings(1e-6, 1e-8, method="BDF"),
            "lorenz": Settings(1e-8, 1e-11, method="Adams"),
        },
    ),
    "numbalsoda": Scripted(
        "numbalsoda LSODA", "numba_lsoda.py", ("numbalsoda",), ("numbalsoda",),
        {
            "W1": Settings(1e-4, 1e-6),
            "W2": Settings(1e-6, 1e-10),
            "W3": Settings(1e-5, 1e-8),
            "lorenz": Settings(3e-8, 1e-10),
        },
    ),
    "scipy": Scripted(
        "scipy LSODA, numba", "scipy_lsoda.py", ("scipy", "numba"), ("scipy", "numba"),
        {
            "W1": Settings(1e-4, 1e-6),
            "W2": Settings(1e-6, 1e-10),
            "W3": Settings(1e-5, 1e-8, 100),
            "lorenz": Settings(3e-8, 1e-10),
        },
    ),
    "casadi": Scripted(
        "casadi CVODES", "casadi_cvodes.py", ("casadi",), ("casadi",),
        {
            "W1": Settings(1e-5, 1e-7, method="BDF"),
            "W2": Settings(3e-7, 3e-11, method="BDF"),
            "W3": Settings(3e-6, 1e-8, method="BDF"),
            "lorenz": Settings(1e-8, 1e-11, method="Adams"),
        },
    ),
    "c++": Compiled("C++ Tsit5, by hand", ("W2", "lorenz"), on_gpu=False),
    "cuda": Compiled("CUDA Tsit5, by hand", ("W2", "lorenz"), on_gpu=True),
    "cuda-fast-math": Compiled("CUDA Tsit5, by hand, fast-math", ("W2", "lorenz"), on_gpu=True, flags=_FAST_MATH),
    "cuda-fixed": Compiled("CUDA Tsit5, by hand, 1000 steps", ("lorenz",), on_gpu=True, fixed_steps=1000),
}  # fmt: skip
