"""What is wrong with a trial as it is written: one sentence each, of the key where it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import twin
from cli.main import main
from twin.errors import TwinError
from twin.files.document import parse
from twin.model import Area, EventTime, Final, FirstTime, HighestTime
from twin.trials import read_endpoint, reading, together, words

from .trying import MODEL, people

REGIMENS = {
    "control": None, "treated": "0.5 mg", "high": "1 mg",
    "reacting": {
        "start": "0.1 mg q6h", "feedback": [{"measure": "marker", "at": ["6 h"], "rules": [{"dose": "same"}]}]
    },
}  # fmt: skip
OUTCOMES = {
    "marker": Final(of="marker", meaning="the marker at the end"), "event": EventTime(of="risk"),
    "when_high": FirstTime(of="marker", above=11.0), "peak": HighestTime(of="marker"),
    "area": Area(of="marker", since=5.0),
}  # fmt: skip


def trial(*texts: str) -> dict:
    """A trial with these keys, and the usual ones where nothing is said."""
    keys = parse("\n".join(texts), "trial").value if any(texts) else {}
    usual = {"arms": {"control": 1, "treated": 1}, "patients": 100, "replicates": 1}
    if "endpoints" not in keys and "escalate" not in keys:
        usual["endpoints"] = {"m": {"outcome": "marker"}}
    return usual | keys


def attempt(keys: dict, until: str | None = "10 day", **more):
    return twin.trial(MODEL, people(), REGIMENS, until=until, trial=keys, outcomes=OUTCOMES, **more)


def problems(keys: dict, until: str | None = "10 day") -> list[str]:
    with pytest.raises(TwinError) as caught:
        attempt(keys, until)
    return list(getattr(caught.value, "problems", [str(caught.value)]))


def cases() -> list[tuple[str, str]]:
    """Of wrong.txt: lines of a trial, and the indented end of what is said of them (dots stand for anything)."""
    blocks = (Path(__file__).parent / "wrong.txt").read_text("utf-8").split("\n\n")
    lines = [[line for line in block.splitlines() if not line.startswith("#")] for block in blocks]
    return [("\n".join(block[:-1]), block[-1].strip()) for block in lines if block]


CASES = cases()


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text.replace("\n", "; ")[:70] for text, _ in CASES])
def test_what_is_wrong_is_one_sentence_of_its_key(text, expected):
    found = problems(trial(text))
    assert len(found) == 1, found
    pattern = re.escape(expected).replace(r"\.\.\.", ".*")
    assert re.search(pattern, found[0]), found[0]
    assert "\n" not in found[0]
    assert found[0].startswith("trial")


def test_a_trial_needs_an_end():
    assert problems(trial(""), until=None) == ["trial: the courses need an end; add 'until: 90 day' to the scenario"]


def test_every_sentence_is_tried():
    """As many cases as there are sentences in the files that read a trial, near enough: one of some stands for two."""
    said = 0
    for module in (reading, read_endpoint, together, words):
        text = Path(module.__file__).read_text("utf-8")
        said += len(re.findall(r"raise TwinError|yield \(?|return f?\"[a-z]", text))
    assert len(CASES) >= 0.9 * said, said


def test_several_problems_are_all_said():
    found = problems(trial("alpha: 0.7\nrecruit: {rate: often}\nresize: {by: blinded}"))
    assert len(found) == 3


def test_words_of_the_schema_are_closed():
    (one,) = problems(trial("") | {"pateints": 3})
    assert one.startswith("trial, pateints: unknown key")
    assert "patients" in one


# the command line -------------------------------------------------------------------------------------------

SCENARIO = """\
model: warfarin
population:
  covariates:
    age: {normal: {mean: 67 year, sd: 10 year}, low: 30, high: 95}
    cyp2c9: "*1/*1"
    vkorc1: {chances: {GG: 0.4, GA: 0.4, AA: 0.2}}
    baseline_inr: 1
regimens: {usual: 5 mg q24h x5, lower: 3 mg q24h x5}
outcomes: [{name: last, final: inr, meaning: the INR after five days}]
until: 5 day
trial:
  arms: {usual: 1, lower: 1}
  patients: 20
  endpoints: {last: {outcome: last, better: lower}}
  replicates: 30
seed: 4
"""


@pytest.fixture
def run(capsys):
    def command(*arguments) -> tuple[int, str]:
        """The exit code, and all that is printed, on one line each."""
        code = 0
        try:
            main([str(one) for one in arguments])
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return command


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text(SCENARIO)
    return path


def test_check_names_the_file_and_the_line(run, scenario):
    scenario.write_text(
        SCENARIO.replace("better: lower", "better: lower, latent: true").replace("lower: 1}", "low: 1}")
    )
    code, said = run("check", str(scenario))
    assert code == 1
    assert "short.yaml:12: key 'trial.arms.low'" in said
    assert "unknown regimen 'low'; did you mean 'lower'" in said.replace("\n", " ")
    scenario.write_text(SCENARIO.replace("better: lower", "better: lower, latent: true"))
    code, said = run("check", str(scenario))
    assert "short.yaml:14: key 'trial.endpoints.last'" in said
    assert "latent is of readings" in said


def test_a_trial_from_the_command_line(run, scenario, tmp_path):
    out = tmp_path / "results"
    code, said = run("trial", str(scenario), "--out", str(out), "--replicates", "6", "--example", "2", "--seed", "9")
    assert code == 0, said
    (folder,) = out.iterdir()
    names = {path.name for path in folder.iterdir()}
    assert {"operating.csv", "size.csv", "looks.csv", "allocation.csv", "example.csv", "trial.png"} <= names
    assert "trial.zarr" in names
    assert "6 trials of 20 patients, lower against usual; seed 9" in said
    assert "last (the INR after five days)" in said
    for odd in ("nan", "± 0 ", "-0.0 ", "e-1"):
        assert odd not in said
    rows = (folder / "example.csv").read_text().splitlines()
    assert len(rows) == 21
    assert rows[0].startswith("person,arm,entered,lost")
    _, again = run("trial", str(scenario), "--out", str(tmp_path / "again"), "--replicates", "6", "--seed", "9")
    assert said.splitlines()[:-2] == again.splitlines()[:-2]  # but for the folder and the seconds


def test_a_scenario_without_a_trial_says_so(run, scenario, tmp_path):
    text = SCENARIO[: SCENARIO.index("trial:")] + "seed: 4\n"
    scenario.write_text(text)
    code, said = run("trial", str(scenario), "--out", str(tmp_path / "results"))
    assert code == 1
    assert "has no 'trial:', so there is nothing to try; add it" in said.replace("\n", " ")


def test_a_trial_draws_its_persons(run, scenario):
    text = (
        SCENARIO[: SCENARIO.index("population:")]
        + "patients: [{id: ana, covariates: {age: 60, cyp2c9: '*1/*1', vkorc1: GG, baseline_inr: 1}}]\n"
    )
    scenario.write_text(text + SCENARIO[SCENARIO.index("regimens:") :])
    code, said = run("check", str(scenario))
    assert code == 1
    assert "a trial draws its persons; write a population instead of patients" in said.replace("\n", " ")


# the page ---------------------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "trials.md"


def test_every_trial_on_the_page_can_be_read(tmp_path):
    """The first is a whole scenario; the others are other trials of it."""
    first, *others = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(others) >= 5
    for k, block in enumerate([first, *others]):
        path = tmp_path / f"{k}.yaml"
        path.write_text(block if block is first else first[: first.index("trial:")] + block)
        scenario = twin.load_scenario(path)
        assert scenario.design is not None
