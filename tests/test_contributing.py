"""The worked model of CONTRIBUTING.md: one file, used from Python, from an entry point, and as a shipped model."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from cli.main import main
from twin import disease, library

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAME = "made_up_tablet"


def block(marker: str) -> str:
    """The code block that follows a marker."""
    (found,) = re.findall(rf"<!-- {re.escape(marker)} -->\n```python\n(.*?)```", TEXT, re.DOTALL)
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the model's file and nothing else, on the path; models are looked for afresh."""
    (tmp_path / f"{NAME}.py").write_text(block(f"model: {NAME}.py"))
    monkeypatch.syspath_prepend(tmp_path)
    library.model_classes.cache_clear()
    yield tmp_path
    library.model_classes.cache_clear()
    for module in (NAME, f"twin.disease.{NAME}"):
        sys.modules.pop(module, None)


def test_it_is_short():
    lines = [line for line in block(f"model: {NAME}.py").splitlines() if line.strip()]
    assert len(lines) <= 65, "the heading promises 60 lines"


def test_it_works_from_python(folder, capsys):
    (folder / "use.py").write_text(block("use"))
    found = runpy.run_path(str(folder / "use.py"))["result"]
    lowest = found["outcomes/lowest"]
    assert lowest.dims == ("patient", "regimen", "draw")
    assert (lowest.values > 0).all()
    assert (lowest.values < found["prior/baseline"].values[:, None]).all(), "production is inhibited, so it falls"
    assert "[[" in capsys.readouterr().out


def test_its_response_is_the_closed_form_at_a_constant_concentration(folder):
    import twin

    sys.path_importer_cache.clear()
    from made_up_tablet import MadeUpTablet  # pyright: ignore[reportMissingImports]

    # clearance and absorption next to nothing, so that 20 mg in 40 L stay 0.5 mg/L: half the production
    model = MadeUpTablet().with_values(clearance=1e-12, absorption=1e3)
    times = np.array([0.0, 5.0, 20.0, 60.0])
    ours = np.asarray(twin.solve(model, "20 mg", list(times))["biomarker"])
    assert ours == pytest.approx(10 + 10 * np.exp(-0.08 * times), rel=2e-4)  # absorption takes 1/1000 h


def test_it_works_from_an_entry_point(folder, capsys):
    info = folder / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[twin.models]\n{NAME} = {NAME}:MadeUpTablet\n")
    assert NAME in library.model_names()
    check_scenario(folder, capsys)


def test_it_works_as_a_shipped_model(folder, capsys, monkeypatch):
    monkeypatch.setattr(disease, "__path__", [*disease.__path__, str(folder)])
    assert NAME in library.model_names()
    check_scenario(folder, capsys)


def check_scenario(folder, capsys):
    """A scenario may name it, and `twin models` describes it in full."""
    (folder / "q.yaml").write_text(
        f"model: {NAME}\npatients: [{{id: ana, covariates: {{weight: 62 kg}}}}]\nregimens: {{daily: 40 mg q24h x5}}\n"
    )
    assert command("check", str(folder / "q.yaml")) == 0
    assert command("models", NAME) == 0
    shown = capsys.readouterr().out
    assert "q.yaml: ok" in shown
    assert "half_effect" in shown


def command(*words: str) -> int:
    """The exit code of the command line."""
    try:
        main([*words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0
