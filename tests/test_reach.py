"""Which files a scenario may read: its own folder's, and those that are allowed; of others no word is told."""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner

from cli.main import twin as command
from tests.ingest.records import PERSON, bundle, observation, written
from tests.test_malformed import ANA, instead
from twin.errors import TwinError
from twin.ingest import fhir, genome, imaging, nonmem, wearable
from twin.scenario import check, load_scenario

SECRET = "root:x:0:0:root:/root:/bin/bash"


@pytest.fixture
def house(tmp_path):
    """A scenario in `ward`, and beside that folder a patient file and somebody's secret."""
    (tmp_path / "ward").mkdir()
    (tmp_path / "others").mkdir()
    written(tmp_path / "ward", ANA, "ana.yaml")
    written(tmp_path / "others", ANA, "ben.yaml")
    written(tmp_path / "others", SECRET + "\n", "secret")
    return tmp_path


def asked(house, entry: str) -> os.PathLike:
    return written(house / "ward", instead("ana.yaml", entry), "q.yaml")


RECORD = "{from: %s, path: %s}"
OUTSIDE = {
    "a patient above": "../others/secret",
    "a patient by its root": "%s/others/secret",
    "a way round": "../ward/../others/secret",
    "a link": "link.yaml",
    "a file of the system": "/etc/passwd",
    "a process": "/proc/self/status",
    **{f"a record of {reader}": RECORD % (reader, "../others/secret") for reader in ("fhir", "genome", "nonmem")},
    "a cohort's folder": "{from: omop, path: ../others, cohort: SELECT 1}",
    "a cohort's database": "{from: omop, path: 'sqlite:////%s/others/secret', cohort: SELECT 1}",
    "an option": "{from: imaging, path: ana.nii, image: ../others/secret}",
    "one of several": "{join: [{from: fhir, path: a.json}, {from: genome, path: ../others/secret}], id: a}",
    "a folder with a link": "{from: fhir, path: linked}",
}


@pytest.mark.parametrize("entry", OUTSIDE.values(), ids=OUTSIDE)
def test_what_lies_outside_the_scenarios_folder_is_not_read(house, entry):
    (house / "ward" / "link.yaml").symlink_to(house / "others" / "secret")
    (house / "ward" / "linked").mkdir()
    (house / "ward" / "linked" / "a.json").symlink_to(house / "others" / "secret")
    (problem,) = check(asked(house, entry % str(house) if "%s" in entry else entry)).problems
    assert "lies outside this scenario's folder; move it there, or allow its folder: --allow FOLDER" in problem
    assert "root" not in problem.replace(str(house), "").split("lies outside")[1]


def test_it_makes_no_difference_whether_the_file_is_there(house):
    there, not_there = (check(asked(house, f"../others/{name}")).problems[0] for name in ("secret", "secreT"))
    assert there == not_there.replace("secreT", "secret")


def test_an_allowed_folder_is_read(house):
    path = asked(house, "../others/ben.yaml")
    with pytest.raises(TwinError, match="lies outside"):
        load_scenario(path)
    assert load_scenario(path, allow=[house / "others"]).patients[0].id == "ana"
    for options, code in (([], 1), (["--allow", str(house / "others")], 0), (["--allow", str(house)], 0)):
        assert CliRunner().invoke(command, ["check", str(path), *options]).exit_code == code


def test_an_allowed_file_that_is_no_patient_is_not_repeated(house):
    (problem,) = check(asked(house, "../others/secret"), allow=[house / "others"]).problems
    assert "secret:1: text is not a mapping" in problem
    assert "root:" not in problem


def test_a_scenario_connects_to_no_server_by_itself(house):
    path = asked(house, "{from: omop, path: 'postgresql://host.invalid/cdm', cohort: SELECT 1}")
    (problem,) = check(path).problems
    assert "connects to no database by itself" in problem
    (problem,) = check(path, allow=["postgresql://host.invalid/cdm"]).problems
    assert "connects to no database" not in problem


@pytest.mark.parametrize("name", ["pipe.csv", "pipe.json", "pipe.nii", "pipe.vcf", "pipe.dcm", "pipe.ndjson"])
@pytest.mark.parametrize("reader", [fhir.read, genome.read, imaging.read, nonmem.read, wearable.read])
def test_a_pipe_is_no_record(tmp_path, reader, name):
    """Opening one waits for somebody to write into it."""
    os.mkfifo(tmp_path / name)
    with pytest.raises(TwinError, match=f"{name}.* is a pipe or a device"):
        reader(tmp_path / name)


def test_a_pipe_is_no_patient(house):
    os.mkfifo(house / "ward" / "pipe.yaml")
    (problem,) = check(asked(house, "pipe.yaml")).problems
    assert "'pipe.yaml': is a pipe or a device" in problem


def test_records_in_the_scenarios_own_folder_are_read(house):
    written(house / "ward", bundle(PERSON, observation()), "b.json")
    assert load_scenario(asked(house, "{from: fhir, path: b.json, id: b}")).patients[0].id == "b"
