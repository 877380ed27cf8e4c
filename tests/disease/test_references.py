"""Every model against the numbers known about it; a table of models, one body."""

from __future__ import annotations

import pytest

from tests.reference import modules, one_of_a_kind


@pytest.mark.parametrize("name", one_of_a_kind(modules(), besides=("glucose_monitor",)))
def test_reproduces_its_references(name):
    module = modules()[name]
    ours = module.compute()
    assert set(ours) == {known.what for known in module.REFERENCES}
    wrong = [f"{k.what}: {ours[k.what]:.6g}, not {k.value:g}" for k in module.REFERENCES if not k.agrees(ours[k.what])]
    assert not wrong, "\n".join(wrong)
