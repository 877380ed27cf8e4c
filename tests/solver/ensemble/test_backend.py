"""Which backend solves lanes: the best that has what it needs, or the one that is asked for."""

from __future__ import annotations

import importlib.util
import warnings

import jax
import pytest

from twin.errors import TwinError
from twin.solver.ensemble import backend
from twin.solver.ensemble.cuda import nvrtc


@pytest.fixture(autouse=True)
def nothing_asked(monkeypatch):
    monkeypatch.delenv(backend.VARIABLE, raising=False)


@pytest.mark.parametrize(("platform", "expected"), [("cpu", "xla"), ("tpu", "xla"), ("gpu", "cuda")])
def test_a_kernel_where_there_is_a_gpu_and_plain_xla_elsewhere(monkeypatch, platform, expected):
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    monkeypatch.setattr(nvrtc, "find_library", lambda: "a library")
    assert backend.backend_name() == expected


@pytest.mark.parametrize("found", [lambda name: None, importlib.util.find_spec])
def test_without_nvrtc_triton_and_without_that_plain_xla(monkeypatch, found):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(nvrtc, "find_library", lambda: None)
    expected = "triton" if found("jax.experimental.pallas.triton") else "xla"
    monkeypatch.setattr(importlib.util, "find_spec", found)
    assert backend.backend_name() == expected


def test_the_environment_overrides(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setenv(backend.VARIABLE, "xla")
    assert backend.backend_name() == "xla"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tritom", "TWIN_BACKEND: unknown backend 'tritom'; did you mean 'triton'?"),
        ("triton", "TWIN_BACKEND=triton needs an NVIDIA GPU that JAX sees; leave it unset, or write TWIN_BACKEND=xla"),
    ],
)
def test_what_cannot_be_had_is_refused(monkeypatch, name, said):
    monkeypatch.setenv(backend.VARIABLE, name)
    with pytest.raises(TwinError) as refused:
        backend.backend_name()
    assert str(refused.value) == said


def test_only_the_known_warning_is_kept_from_users():
    with backend.lowering():
        warnings.warn("The Pallas Triton backend is deprecated and will be removed", DeprecationWarning, stacklevel=1)
        with pytest.raises(DeprecationWarning, match="another thing"):
            warnings.warn("another thing is deprecated", DeprecationWarning, stacklevel=1)
