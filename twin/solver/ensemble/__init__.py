"""The ensemble engine: many trajectories at once, each with its own steps, only results leaving the loop.

`solve` takes a block of lanes and is what a kernel does too (`kernel.py`); `solve_batch` any number of lanes;
`differentiable` gives either derivatives. `twin.running` spreads a run over calls and devices.
"""

from .engine import Solved, one_by_one, solve, solve_batch, windows
from .given import Problem, Setup
from .gradient import differentiable

__all__ = ["Problem", "Setup", "Solved", "differentiable", "one_by_one", "solve", "solve_batch", "windows"]
