"""The body as generated CUDA C++, a thread a lane."""

from . import nvrtc
from .launch import advance_in_cuda, kernel_of, solve_in_cuda
from .source import cuda_source

__all__ = ["advance_in_cuda", "cuda_source", "kernel_of", "nvrtc", "solve_in_cuda"]
