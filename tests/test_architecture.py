"""Which way imports go, what `import twin` may do, and what no file may contain."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from . import imports

ROOT = Path(__file__).parents[1]
FILES = list(imports.modules().values())
# The rooms of `twin` from the ground up, and the packages that stand on it: each may import those before it.
ROOMS = (
    "twin.errors", "twin.types", "twin.settings", "twin.units", "twin.quantity", "twin.files",
    "twin.model", "twin.parts", "twin.disease", "twin.generic", "twin.catalogue", "twin.library",
    "twin.regimen", "twin.patient", "twin.ingest", "twin.population", "twin.solver", "twin.run", "twin.result",
    "twin.statistics", "twin.sampling", "twin.export", "twin.trials", "twin.benefit",
    "twin.scenario", "twin.api", "twin.optimisation", "calibration", "cli",
)  # fmt: skip

# Participles that do not end in -ed; and words that end so, or look like one, and are verbs or nouns as they stand.
IRREGULAR = {
    "begun", "born", "bound", "broken", "brought", "built", "caught", "chosen", "come", "done", "drawn", "driven",
    "fed", "felt", "flown", "forgotten", "found", "frozen", "given", "gone", "grown", "heard", "held", "hidden",
    "kept", "known", "laid", "led", "left", "lost", "made", "meant", "met", "paid", "proven", "risen", "said", "seen",
    "sent", "shown", "shrunk", "sold", "sought", "spent", "stood", "sworn", "taken", "thought", "thrown", "told",
    "torn", "understood", "won", "worn", "wound", "written",
}  # fmt: skip
NO_PARTICIPLES = {
    "cut", "embed", "exceed", "feed", "let", "need", "proceed", "put", "read", "run", "seed", "set", "shed", "speed",
    "split", "spread", "succeed",
}  # fmt: skip


def test_no_file_imports_itself_by_way_of_others():
    """Counting imports inside functions and those for types alone."""
    assert imports.circles(imports.graph()) == []


def test_no_room_imports_one_above_it():
    back = [
        f"{name} imports {one}"
        for name, several in imports.graph().items()
        for one in several
        if name != "twin" and one != "twin" and ROOMS.index(imports.room(one)) > ROOMS.index(imports.room(name))
    ]
    assert not back, "\n".join(back)


def test_nothing_imports_the_face_it_is_handed_on_by():
    """`twin` itself hands on names from everywhere, so whoever imports it from inside goes in a circle."""
    inside = [name for name, several in imports.graph().items() if "twin" in several and name.startswith("twin.")]
    assert inside == []


def test_scripts_import_what_there_is():
    """Benchmarks and the pages' programs, which no test runs: a name that has moved would break them unseen."""
    scripts = [file for folder in ("benchmarks", "docs") for file in sorted((ROOT / folder).rglob("*.py"))]
    assert len(scripts) > 10
    lost = []
    for script in scripts:
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] not in imports.PACKAGES:
                continue
            home = importlib.import_module(str(node.module))
            for name in node.names:
                if not hasattr(home, name.name) and importlib.util.find_spec(f"{node.module}.{name.name}") is None:
                    lost.append(f"{script.relative_to(ROOT)}:{node.lineno}: {node.module}.{name.name}")
    assert not lost, "\n".join(lost)


def test_few_files_stand_loose():
    loose = [name for name in imports.modules() if name.count(".") == 1 and name.startswith("twin.")]
    files = [name for name in loose if imports.modules()[name].name != "__init__.py"]
    assert len(files) <= 12, files


def test_the_reader_of_imports_reads_them_all(tmp_path):
    """Else the tests above would pass by not looking."""
    file = tmp_path / "twin" / "solver" / "one.py"
    file.parent.mkdir(parents=True)
    file.write_text("from ..units import parse\ndef f():\n    import twin.run.plan\nif T:\n    from . import two\n")
    found = set(imports.imported(file, tmp_path))
    assert found == {("twin.units", "parse"), ("twin.run.plan", ""), ("twin.solver", "two")}
    assert imports.circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


@pytest.mark.parametrize("path", [p for p in FILES if p.parts[-2] in ("disease", "generic")], ids=lambda p: p.stem)
def test_model_files_import_no_solver(path):
    for name, _ in imports.imported(path):
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


def is_participle(name: str) -> bool:
    word = name.strip("_")
    plain = re.sub("^(re|un|over)(?=[a-z]{3})", "", word)
    return word not in NO_PARTICIPLES and bool(re.fullmatch("[a-z]+ed", word) or {word, plain} & IRREGULAR)


def test_functions_are_named_by_verbs_or_nouns():
    """`climbed` says neither who acts nor what comes back; `climb` does, or `is_climbed` where it is a question."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and is_participle(node.name)
    ]
    assert not found, "a bare participle names a function: " + "; ".join(found)


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
