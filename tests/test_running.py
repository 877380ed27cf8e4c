"""Runs in parts and on several devices give what one run on one device gives."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import twin

from .toys import OralOne

ANA = twin.Patient("ana")
QUESTION = {"regimens": {"usual": "20 mg oral q12h x4"}, "outcomes": ["peak"], "seed": 3}

PROGRAM = """
import sys, jax, numpy as np, twin
from tests.toys import Turnover
found = twin.simulate(
    Turnover(), twin.Patient("ana"), regimens={"usual": "20 mg oral q12h x4"}, draws=100, times=[10.0, 48.0], seed=3
)
assert len(jax.local_devices()) == int(sys.argv[1])
np.savez(sys.argv[2], highest=found["outcomes/highest"].values, course=found["predictions/biomarker"].values)
"""


def test_parts_are_the_draws_of_one_run():
    whole = twin.simulate(OralOne(), ANA, draws=25, times=[], **QUESTION)
    parts = list(twin.stream(OralOne(), ANA, draws=25, part=10, **QUESTION))
    assert [len(part["outcomes"].draw) for part in parts] == [10, 10, 5]
    for group in ("outcomes", "prior"):
        for name, values in whole[group].data_vars.items():
            each = [part[group][name].values for part in parts]
            if "draw" in values.dims:  # else it is the same in all draws, and stored once
                each = [np.concatenate(each, axis=-1)]
            for one in each:
                np.testing.assert_array_equal(one, values.values)
    np.testing.assert_array_equal(np.concatenate([part["outcomes"].draw for part in parts]), np.arange(25))


def test_a_stream_tells_how_far_it_is():
    told = []
    for _ in twin.stream(OralOne(), ANA, draws=20, part=10, progress=lambda *done: told.append(done), **QUESTION):
        pass
    assert told == [(10, 20), (20, 20)]


@pytest.mark.parametrize("draws", [0, 2**31])
def test_a_stream_has_a_number_of_draws(draws):
    with pytest.raises(twin.TwinError, match="is not between 1 and"):
        next(twin.stream(OralOne(), ANA, draws=draws, **QUESTION))


def test_devices_share_the_trajectories(tmp_path):
    """Two host devices against one: equal to the last bit, for each solves blocks of the same size."""
    found = []
    for devices in (1, 2):
        file = tmp_path / f"{devices}.npz"
        environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
        command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(devices), str(file)]
        subprocess.run(command, check=True, env=environment, timeout=300)
        found.append(np.load(file))
    for name in ("highest", "course"):
        np.testing.assert_array_equal(found[0][name], found[1][name])
