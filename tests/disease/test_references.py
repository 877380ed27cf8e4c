"""Every model against the numbers known about it; a table of models, one body."""

from __future__ import annotations

import pytest

from tests.reference import modules

# Of a model like another one, or compared by other tests in every run, make test-slow asks.
LONG = ("infliximab_hanzel2021", "warfarin_hamberg2007")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in LONG else ()) for n in modules()])
def test_reproduces_its_references(name):
    module = modules()[name]
    ours = module.compute()
    assert set(ours) == {known.what for known in module.REFERENCES}
    wrong = [f"{k.what}: {ours[k.what]:.6g}, not {k.value:g}" for k in module.REFERENCES if not k.agrees(ours[k.what])]
    assert not wrong, "\n".join(wrong)
