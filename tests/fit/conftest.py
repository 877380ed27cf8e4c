"""One population fit that several files look at: the shipped scenario of a simulated drug, through the command line."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from pathlib import Path

import pytest

import calibration
from cli.main import main

SCENARIO = Path(__file__).parents[2] / "scenarios" / "fit" / "new_drug.yaml"


@dataclasses.dataclass(frozen=True)
class Done:
    """What `twin fit` printed and left, and the same fit from Python."""

    text: str
    folder: Path
    fit: calibration.PopulationFit


@pytest.fixture(scope="session")
def done(tmp_path_factory) -> Done:
    out, said = tmp_path_factory.mktemp("fit"), io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as end:
        main(["fit", str(SCENARIO), "--out", str(out)])
    assert end.value.code == 0
    return Done(said.getvalue(), out / "new_drug", calibration.run_fit(SCENARIO))
