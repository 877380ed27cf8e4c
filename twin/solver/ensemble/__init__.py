"""The ensemble engine: many trajectories at once, each with its own steps, only results leaving the loop.

`solve` takes a block of lanes and is what a kernel does too (`kernel.py`); `solve_batch` any number of lanes;
`make_differentiable` gives either derivatives. `twin.run.runner` spreads a run over calls and devices.
"""

from .engine import Solved, Stop, advance, one_by_one, solve, solve_batch, windows
from .gradient import make_differentiable
from .problem import Problem, Setup

__all__ = [
    "Problem", "Setup", "Solved", "Stop", "advance", "make_differentiable", "one_by_one", "solve",
    "solve_batch", "windows",
]  # fmt: skip
