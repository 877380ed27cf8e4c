"""Who has to wait is told so before the work begins, with the reason."""

from __future__ import annotations

import twin
from cli.simulating import _slow_notes

ASK = """
model: warfarin
patients: [{id: ana}]
regimens: {usual: "5 mg q24h x3 at steady state"}
draws: %d
"""


def told(tmp_path, draws):
    path = tmp_path / "ask.yaml"
    path.write_text(ASK % draws)
    return _slow_notes(twin.load_scenario(path))


def test_many_trajectories_one_by_one_are_announced(tmp_path):
    (line,) = told(tmp_path, 300)
    assert "300 trajectories are solved one by one" in line
    assert "a steady state of a nonlinear model is found by repetition" in line
    assert "give the doses before instead" in line


def test_a_few_are_not(tmp_path):
    assert told(tmp_path, 20) == []
