"""CUDA C++ to PTX by NVRTC, of which JAX's CUDA packages bring the library; no GPU is asked for."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import re
from pathlib import Path

from ....errors import TwinError

# Any card since Turing, any driver that JAX admits: the driver makes code of the card's own from it.
_OPTIONS = (b"--gpu-architecture=compute_75", b"--std=c++17", b"--disable-warnings")
_PTX_VERSION = "8.0"  # of CUDA 12.0; NVRTC states its own, which an older driver refuses unread


@functools.lru_cache(maxsize=32)
def ptx(source: str) -> str:
    """What a driver, or XLA, can load."""
    library, program = _library(), ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
    options = (ctypes.c_char_p * len(_OPTIONS))(*_OPTIONS)
    try:
        if library.nvrtcCompileProgram(program, len(_OPTIONS), options):
            raise RuntimeError(f"NVRTC refused a generated kernel:\n{_text(program, 'ProgramLog')}")
        return re.sub(r"(?m)^\.version .*", f".version {_PTX_VERSION}", _text(program, "PTX"))
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def find_library() -> Path | None:
    """The library, if one is installed."""
    spec = importlib.util.find_spec("nvidia")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    files = [file for folder in folders for file in Path(folder).glob("**/libnvrtc.so.*")]
    return min(files, default=None)


@functools.cache
def _library() -> ctypes.CDLL:
    file = find_library()
    if file is None:
        raise TwinError("kernels for NVIDIA GPUs need NVRTC, and none is installed: pip install 'jax[cuda12]'")
    return ctypes.CDLL(str(file))


def _text(program: ctypes.c_void_p, what: str) -> str:
    size = ctypes.c_size_t()
    getattr(_library(), f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    kept = ctypes.create_string_buffer(size.value)
    getattr(_library(), f"nvrtcGet{what}")(program, kept)
    return kept.value.decode()
