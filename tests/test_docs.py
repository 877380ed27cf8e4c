"""Documentation has a place for everything there is, its links lead somewhere, and its Python runs."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import twin
from cli.main import COMMANDS
from twin.files.document import parse
from twin.files.schema import examine, json_schema
from twin.library import load_model
from twin.patient.file import PatientFile
from twin.regimen import Regimen
from twin.result import dataset
from twin.scenario.file import ScenarioFile
from twin.solver.status import Status

from . import imports

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
RUN_PAGES = (
    "quickstart",
    "python",
    "results",
    "regimens",
    "feedback",
    "sampling",
    "optimise",
    "populations",
    "statistics",
    "analyses",
    "trials",
    "benefit",
    "nca",
    "fit",
)
RUN = ["README.md", *(f"docs/{n}.md" for n in RUN_PAGES)]


def named(page: Path) -> set[str]:
    """Every word in backticks on a page, without what follows it (`--draws N` is `--draws`)."""
    found: set[str] = set()
    for code in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8")):
        found |= {code, *re.split(r"[\s(,]+", code)}
    return found


# --- everything has its place -------------------------------------------------------------------------


@pytest.mark.parametrize("name", twin.model_names())
def test_every_model_has_a_page(name):
    assert (DOCS / "models" / f"{name}.md").is_file()
    assert f"({name}.md)" in (DOCS / "models" / "index.md").read_text(encoding="utf-8")


def test_every_model_appears_in_a_scenario():
    assert {load_model(yaml.safe_load(p.read_text())["model"]).name for p in scenarios()} == set(twin.model_names())


def test_every_scenario_is_listed():
    text = (ROOT / "scenarios" / "README.md").read_text(encoding="utf-8")
    for path in scenarios():
        assert f"`{path.relative_to(ROOT / 'scenarios')}`" in text


def scenarios() -> list[Path]:
    return [p for p in sorted((ROOT / "scenarios").rglob("*.yaml")) if p.parent.name != "patients"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_described(command):
    page = DOCS / "cli.md"
    assert f"## twin {command}" in page.read_text(encoding="utf-8")
    known = getattr(importlib.import_module(f"cli.commands.{command}"), command)
    for parameter in known.params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in named(page)


def keys(schema: Any) -> Iterator[str]:
    """The keys a JSON schema allows, at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for inner in schema.values():
            yield from keys(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from keys(inner)


@pytest.mark.parametrize("schema", [ScenarioFile, PatientFile])
def test_every_key_is_described(schema):
    known = set(keys(json_schema(schema)))
    assert len(known) > 10
    pages = (
        "scenarios", "feedback", "sampling", "optimise", "populations", "trials", "benefit", "occasions", "fit",
        "fit_uncertainty",
    )  # fmt: skip
    words = {word for page in pages for word in named(DOCS / f"{page}.md")}
    words |= {word.strip(":") for word in words}
    assert known <= words, f"none of the pages {', '.join(pages)} describes {sorted(known - words)}"


def test_every_public_name_is_described_and_exists():
    for name in twin.__all__:
        assert name in named(DOCS / "python.md")
        assert getattr(twin, name) is not None


def glossary() -> Iterator[tuple[str, list[str], list[str]]]:
    """Each word of docs/design/house.md, the names it has in code, and the words that are never used for it."""
    words = (DOCS / "design" / "house.md").read_text(encoding="utf-8").partition("## Words")[2]
    for row in re.findall(r"^\| ([a-z, ]+) \| (.+) \| (.+) \| (.+) \|$", words, re.MULTILINE):
        if row[0] != "word":
            yield row[0], re.findall(r"`([\w.]+)`", row[2]), row[3].split(", ")


def find(dotted: str) -> bool:
    """Whether a dotted name leads somewhere: a module, what stands in it, or a field of a class."""
    parts = dotted.split(".")
    thing, left = importlib.import_module(parts[0]), parts[1:]
    for part in left:
        if part in getattr(thing, "__annotations__", {}):
            return part == left[-1]
        if not hasattr(thing, part) and not importlib.util.find_spec(f"{thing.__name__}.{part}"):
            return False
        thing = getattr(thing, part, None) or importlib.import_module(f"{thing.__name__}.{part}")
    return True


@pytest.mark.parametrize(("word", "names"), [row[:2] for row in glossary()])
def test_a_word_of_the_glossary_stands_for_something(word, names):
    assert names
    for name in names:
        assert find(name), f"{word}: there is no {name}"


def names_given() -> dict[str, str]:
    """Classes, functions and fields, keys of files and columns of results, and where each is named."""
    found = {name: "a file's key" for schema in (ScenarioFile, PatientFile) for name in keys(json_schema(schema))}
    found |= {value: "a column" for value in vars(dataset).values() if isinstance(value, str)}
    for name, path in imports.modules().items():
        if not name.startswith(("twin.disease.", "twin.ingest.")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    fields = [n.target.id for n in node.body if isinstance(n, ast.AnnAssign)]
                    found |= dict.fromkeys([node.name, *fields], name)
                elif isinstance(node, ast.FunctionDef):
                    found[node.name] = name
    return {name.strip("_").lower(): where for name, where in found.items()}


def test_nothing_has_a_name_that_the_glossary_refuses():
    given = names_given()
    refused = {one: word for word, _, never in glossary() for one in never}
    assert len(refused) > 20
    assert {"patient", "draw", "verdict"} <= set(given)
    found = [f"{given[n]}: {n} (say {w})" for one, w in refused.items() for n in (one, f"{one}s") if n in given]
    assert not found, "; ".join(found)


def test_every_word_of_the_contract_is_described():
    """What a model file may use: the declarations, spreads, noise models, outcomes and blocks."""
    text = (DOCS / "models.md").read_text(encoding="utf-8")
    code = [*named(DOCS / "models.md"), *re.findall(r"^```py\n(.*?)^```", text, re.DOTALL | re.MULTILINE)]
    words = set(re.findall(r"@?\w+", " ".join(code)))  # a word of the prose describes nothing
    for module, base in [("spread", "Spread"), ("noise", "Noise"), ("outcome", "Outcome")]:
        contents = vars(importlib.import_module(f"twin.model.{module}"))
        kinds = [k for k in contents.values() if isinstance(k, type) and issubclass(k, contents[base])]
        for kind in kinds:
            if not kind.__name__.startswith("_") and kind is not contents[base]:
                assert kind.__name__ in words
    declared = [n for n in vars(twin.DiseaseModel) if not n.startswith("_")]
    derived = {"parameters", "covariates", "inputs", "states", "treatments", "observables"}
    derived |= {"positions", "typical", "modalities", "normal_correlations", "identity"}
    derived |= {
        "extensions",
        "covariate_effects",
        "occasions",
        "during",
        "population_draws",
    }  # `twin.model.extension`'s
    assert set(declared) - derived <= words


@pytest.mark.parametrize("page", ["results.md", "solvers.md"])
def test_every_status_is_described(page):
    assert set(Status.meanings) <= named(DOCS / page)


def test_what_draws_may_have_of_their_own_is_described():
    assert {"individuals", "deviations", "covariates"} <= named(DOCS / "python.md")


def test_every_defect_that_was_found_is_held_by_a_test():
    """Each line of the table ends with tests that exist, so that it does not go stale when one is renamed."""
    text = (DOCS / "design" / "found.md").read_text(encoding="utf-8")
    rows = [row for row in re.findall(r"^\| (.*) \|$", text, re.MULTILINE) if not row.startswith("what was found")]
    assert len(rows) > 100
    for row in rows:
        held = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row.rpartition(" | ")[2])
        assert held, f"no test holds: {row}"
        for file, name in held:
            assert re.search(rf"^def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), f"no {file}::{name}"


# --- links and code -----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = page.parent / path if path else page
        assert found.exists(), f"{target} leads nowhere"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", RUN)
def test_python_on_a_page_runs(page, monkeypatch, capsys):
    """The blocks of a page run one after the other, each for itself, from the top of the checkout."""
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {"__name__": "__main__"})
    assert "nan" not in capsys.readouterr().out


def test_every_regimen_on_its_page_can_be_read():
    text = (DOCS / "regimens.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"<!-- shorthand -->\n```\n(.*?)```", text, re.DOTALL)
    for line in block.splitlines():
        doses = Regimen.build(line).doses
        assert bool(doses) == (line != "none")


REST = {"model": "warfarin", "patients": [{"id": "ana"}], "regimens": {"usual": "5 mg q24h x14"}}


@pytest.mark.parametrize(
    "page",
    [
        f"{n}.md"
        for n in (
            "scenarios",
            "regimens",
            "ingest",
            "feedback",
            "sampling",
            "optimise",
            "populations",
            "trials",
            "benefit",
            "fit",
            "fit_uncertainty",
        )
    ],
)
def test_yaml_on_a_page_is_what_the_schema_accepts(page):
    """A whole scenario, some keys of one, or a patient; a page that shows a key which files refuse would mislead."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        shown = parse(block, page).value
        if page == "regimens.md":
            examined = examine(REST | {"regimens": {"one": shown}}, ScenarioFile)
        elif set(shown) <= set(PatientFile.model_fields):
            examined = examine(shown, PatientFile)
        elif not set(shown) & set(ScenarioFile.model_fields):  # of a patient's records
            examined = examine(REST | {"patients": [{"from": "fhir", "path": "a.json"} | shown]}, ScenarioFile)
        else:
            examined = examine(REST | shown, ScenarioFile)
        assert not examined.problems, f"{block}\n{examined.problems}"


def test_generated_tables_are_fresh():
    """Parameter and evidence tables; the numbers models reproduce are checked in tests/disease."""
    found = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    assert found.returncode == 0, found.stdout + found.stderr
