"""Generated kernels on a CPU: their source as C++, one thread after the other."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twin.solver.ensemble.cuda.words import TYPES

COMPILER = shutil.which("g++") or shutil.which("clang++")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler is installed")

AROUND = """\
#include <cmath>
#include <cstring>
using namespace std;
#define __global__
#define __device__ static inline
static struct {{ int x; }} threadIdx, blockIdx, blockDim = {{1}}, gridDim;
static double __longlong_as_double(long long bits) {{ double x; memcpy(&x, &bits, sizeof x); return x; }}

{source}
extern "C" void on_host(void** given, int lanes) {{
  gridDim.x = lanes;
  for (blockIdx.x = 0; blockIdx.x < lanes; ++blockIdx.x) {name}({arguments});
}}
"""


def run(folder: Path, source: str, name: str, given: Sequence[Any], results: Sequence[Any]) -> list[np.ndarray]:
    """What the kernel makes of arrays with lanes last; `results` are shapes, with lanes, too."""
    found = [np.zeros(shape.shape, shape.dtype) for shape in results]
    arrays = [*(np.ascontiguousarray(x) for x in given), *found]
    arguments = ", ".join(f"({TYPES[x.dtype.name]}*)given[{i}]" for i, x in enumerate(arrays))
    file, library = folder / f"{name}.cpp", folder / f"{name}.so"
    file.write_text(AROUND.format(source=source, name=name, arguments=arguments), encoding="utf-8")
    command = [COMPILER, "-std=c++17", "-O1", "-ffp-contract=off", "-w", "-shared", "-fPIC", file, "-o", library]
    subprocess.run(command, check=True, capture_output=True)
    pointers = (ctypes.c_void_p * len(arrays))(*(x.ctypes.data for x in arrays))
    ctypes.CDLL(str(library)).on_host(pointers, results[0].shape[-1])
    return found
