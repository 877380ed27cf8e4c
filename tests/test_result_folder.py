"""Result folders: whole or as before, private, of one scenario each, and never another's without a word."""

from __future__ import annotations

import dataclasses
import json
import os
import stat

import pytest

from cli.result_folder import MARK, choose, replacing
from twin.errors import TwinError
from twin.files.document import Document


@dataclasses.dataclass(frozen=True)
class Scenario:
    """As much of one as a result folder asks for."""

    document: Document


def of(path) -> Scenario:
    return Scenario(Document(str(path), "", None, {}, "a sum"))


def run(scenario, folder, **files: str) -> None:
    """A run that owns `a` and `b`, and writes these files."""
    with replacing(folder, scenario, owns=("a", "b")) as part:
        for name, text in files.items():
            (part / name).mkdir()
            (part / name / "data").write_text(text)


def held(folder) -> dict[str, str]:
    return {p.name: (p / "data").read_text() if p.is_dir() else "" for p in folder.iterdir() if p.name != MARK}


@pytest.fixture
def ward(tmp_path):
    """Two wards with a case of the same name each."""
    for name in ("ward1", "ward2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "case_01.yaml").write_text(f"title: {name}\n")
    return tmp_path


def test_a_run_replaces_its_own_files_and_keeps_all_others(tmp_path):
    folder, scenario = tmp_path / "out" / "q", of(tmp_path / "q.yaml")
    run(scenario, folder, a="old", b="old")
    (folder / "notes").mkdir()
    (folder / "notes" / "data").write_text("somebody's")
    run(scenario, folder, a="new")
    assert held(folder) == {"a": "new", "notes": "somebody's"}
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["q"]


def test_a_run_that_fails_changes_nothing(tmp_path):
    folder, scenario = tmp_path / "q", of(tmp_path / "q.yaml")
    run(scenario, folder, a="old")
    with pytest.raises(TypeError):
        run(scenario, folder, a="new", b=None)  # the second file cannot be written
    assert held(folder) == {"a": "old"}
    assert [p.name for p in tmp_path.iterdir()] == ["q"]


@pytest.mark.parametrize("steps", range(3))
def test_a_run_that_is_killed_leaves_the_old_or_the_new_whole(tmp_path, monkeypatch, steps):
    """Killed before each step of the replacement in turn; the next run finds everything, also what others put there."""
    folder, scenario = tmp_path / "q", of(tmp_path / "q.yaml")
    run(scenario, folder, a="old", b="old")
    (folder / "notes").mkdir()
    (folder / "notes" / "data").write_text("somebody's")
    left, rename = iter(range(steps)), os.rename

    def killed(*arguments):
        if next(left, None) is None:
            raise SystemExit
        rename(*arguments)

    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(SystemExit):
        run(scenario, folder, a="new", b="new")
    monkeypatch.undo()
    found = held(folder) if folder.exists() else {"a": "old", "b": "old"}
    assert {found["a"], found["b"]} in ({"old"}, {"new"})
    run(scenario, folder, a="newer", b="newer")
    assert held(folder) == {"a": "newer", "b": "newer", "notes": "somebody's"}


def test_results_are_their_owners(tmp_path):
    run(of(tmp_path / "q.yaml"), tmp_path / "out" / "q", a="x")
    for path in [tmp_path / "out" / "q", *(tmp_path / "out" / "q").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("link", ["out", "out/q"])
def test_a_link_is_no_result_folder(tmp_path, link):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TwinError, match="is a link; name the folder itself"):
        run(of(tmp_path / "q.yaml"), tmp_path / "out" / "q", a="x")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_folder_says_of_which_scenario_it_is(ward):
    path = ward / "ward1" / "case_01.yaml"
    run(of(path), ward / "out" / "case_01", a="x")
    assert json.loads((ward / "out" / "case_01" / MARK).read_text()) == {"path": str(path), "sha256": "a sum"}


def test_a_file_has_one_folder_alone_and_in_company(ward, capsys):
    one, other = (str(ward / name / "case_01.yaml") for name in ("ward1", "ward2"))
    out = ward / "out"
    assert choose([one], out)[one].name == "case_01"
    run(of(one), choose([one], out)[one], a="one")
    together = choose([one, other], out)
    assert [together[file].name for file in (one, other)] == ["case_01", "ward2-case_01"]
    assert capsys.readouterr().err == ""


def test_another_scenarios_folder_is_left_alone_and_that_is_said(ward, capsys):
    one, other = (str(ward / name / "case_01.yaml") for name in ("ward1", "ward2"))
    out = ward / "out"
    run(of(one), choose([one], out)[one], a="one")
    folder = choose([other], out)[other]
    assert folder.name == "ward2-case_01"
    assert "case_01: holds results of another scenario; those of" in capsys.readouterr().err
    run(of(other), folder, a="other")
    assert held(out / "case_01") == {"a": "one"}
    assert choose([other], out)[other] == folder


def test_in_company_both_are_named_after_their_ward_and_keep_that_alone(ward):
    files = [str(ward / name / "case_01.yaml") for name in ("ward1", "ward2")]
    chosen = choose(files, ward / "out")
    assert [chosen[file].name for file in files] == ["ward1-case_01", "ward2-case_01"]
    for file in files:
        run(of(file), chosen[file], a=file)
    assert choose(files[:1], ward / "out") == {files[0]: chosen[files[0]]}


def test_wards_of_one_name_are_numbered(ward):
    for name in ("north/ward", "south/ward"):
        (ward / name).mkdir(parents=True)
        (ward / name / "case_01.yaml").write_text("")
    files = [str(ward / name / "ward" / "case_01.yaml") for name in ("north", "south")]
    assert [folder.name for folder in choose(files, ward / "out").values()] == ["ward-case_01", "ward-case_01-2"]
