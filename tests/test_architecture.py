"""Which way imports go, what `import twin` may do, and what no file may contain."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("twin", "calibration", "cli")  # each may import those before it
FILES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]


def imported(path: Path) -> Iterator[str]:
    """The absolute names of the modules a file imports, wherever in it."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            yield ".".join([*above, *((node.module,) if node.module else ())])


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(path):
    own = path.relative_to(ROOT).parts[0]
    later = set(LAYERS[LAYERS.index(own) + 1 :]) | {"tests", "docs", "benchmarks"}
    wrong = [name for name in imported(path) if name.split(".")[0] in later]
    assert not wrong, f"{own} must not import {wrong}"


def test_the_reader_sees_relative_imports():
    """Else the test above would pass by not looking."""
    assert "twin.errors" in set(imported(ROOT / "twin" / "units.py"))
    assert "twin.solver.linear.propagator" in set(imported(ROOT / "twin" / "solver" / "adaptive.py"))


@pytest.mark.parametrize("path", [p for p in FILES if p.parts[-2] == "disease"], ids=lambda p: p.stem)
def test_model_files_import_no_solver(path):
    for name in imported(path):
        assert not name.startswith(("twin.solver", "twin.api.solve", "twin.run.plan", "diffrax")), name


def test_importing_the_library_starts_nothing():
    """No JAX, no configuration, no plotting; and using a name sets no global configuration of JAX either."""
    code = (
        "import sys, twin\n"
        "assert not {'jax', 'numpy', 'xarray', 'matplotlib'} & set(sys.modules), sorted(sys.modules)\n"
        "import jax\n"
        "before = dict(jax.config.values)\n"
        "for name in ('simulate', 'solve', 'Patient', 'load_scenario', 'load_result'): getattr(twin, name)\n"
        "twin.load_model('warfarin')\n"
        "changed = [k for k, v in before.items() if jax.config.values[k] != v]\n"  # Pallas brings options of its own
        "assert not changed, changed\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert found.returncode == 0, found.stderr


def test_the_oldest_releases_tested_are_those_admitted():
    """`make test-oldest` installs the lower bounds of pyproject.toml, whose every requirement has one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    asked = [*project["dependencies"], *optional["calibration"], *optional["ingest"], *optional["test"]]
    tested = set((ROOT / "requirements-oldest.txt").read_text(encoding="utf-8").splitlines())
    untested = [one for one in asked if ">=" not in one or one.partition(",")[0].replace(">=", "==") not in tested]
    assert not untested, f"{untested} are not in requirements-oldest.txt; run make lock"


def shipped() -> list[Path]:
    """Every text file that belongs to the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    names = listed.stdout.splitlines() if listed.returncode == 0 else []
    if not names:  # no checkout: an unpacked archive
        pytest.skip("needs the list of files that git keeps")
    return [ROOT / name for name in names if (ROOT / name).suffix not in (".png", ".zarr") and (ROOT / name).is_file()]


def test_no_file_names_a_machine_or_a_registry():
    """Paths of the machine it was written on, and hosts of package registries, have no business in a repository."""
    words = ["/wo" + "rk/", "/fa" + "rm/", "/ho" + "me/", "pypi" + ".org", "pythonhosted" + ".org", "index" + "-url"]
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in shipped()
        for word in words
        if word in path.read_text(encoding="utf-8", errors="ignore")
    ]
    assert not found, "\n".join(found)
