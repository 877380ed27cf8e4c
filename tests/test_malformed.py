"""Malformed files through the command line: one line on stderr for each problem, a non-zero exit, no traceback."""

from __future__ import annotations

import contextlib
import os
import time

import pytest

from cli.main import main
from twin.errors import TwinError
from twin.regimen.shorthand import parse_text

SCENARIO = """\
model: warfarin
patients: [ana.yaml]
regimens:
  usual: 5 mg q24h x14
outcomes: [highest_inr]
"""
ANA = """\
id: ana
birth_date: 1948-03-14
time_zero: 2024-05-06 08:00
covariates: {cyp2c9: "*1/*3", vkorc1: GA, baseline_inr: 1.1}
doses:
  - {amount: 5 mg, time: -1 day}
observations:
  - {observable: inr, time: 0, value: 1.1}
"""


def instead(old: str, new: str, text: str = SCENARIO) -> str:
    """The good text with one thing changed."""
    assert text.count(old) == 1
    return text.replace(old, new)


def of_ana(old: str, new: str) -> str:
    return instead(old, new, ANA)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b]\n"
DEEP = "model: " + "[" * 1_000_000
JUNK = bytes(range(256)) * 40

# name: the scenario file's content, and words of the one line expected (its place first)
SCENARIOS = {
    "empty": ("", "q.yaml: is empty"),
    "only a comment": ("# later\n", "q.yaml: is empty"),
    "only null": ("null\n", "q.yaml:1: is empty"),
    "list": ("- model: warfarin\n", "q.yaml:1: a list is not a mapping"),
    "text": ("warfarin\n", "q.yaml:1: text is not a mapping"),
    "number": ("42\n", "q.yaml:1: 42 is not a mapping"),
    "binary": (JUNK, "q.yaml:1: looks like a binary file"),
    "latin-1": (SCENARIO.replace("usual", "üblich").encode("latin-1"), "q.yaml:4: is not UTF-8"),
    "bomb": (BOMB, "q.yaml:1: anchors and aliases ('a') are not read"),
    "deep nesting": (DEEP, "q.yaml:1: nested deeper than 40 levels"),
    "python tag": (SCENARIO + "title: !!python/object/apply:os.system ['true']\n", "q.yaml:6: tag "),
    "tab": (instead("  usual", "\tusual"), "q.yaml:4: "),
    "open bracket": (instead("[ana.yaml]", "[ana.yaml"), "not valid YAML"),
    "duplicate key": (SCENARIO + "model: docetaxel\n", "q.yaml:6: key 'model' is given twice (first on line 1)"),
    "duplicate regimen": (
        instead("  usual: 5 mg q24h x14", "  usual: 5 mg q24h x14\n  usual: 4 mg q24h x14"),
        "q.yaml:5: key 'usual' is given twice",
    ),
    "two documents": (SCENARIO + "---\nmodel: docetaxel\n", "q.yaml:6: a second document"),
    "no model": (instead("model: warfarin\n", ""), "key 'model': is missing; add it"),
    "unknown model": (
        instead("warfarin", "warfarine"),
        "q.yaml:1: key 'model': unknown model 'warfarine'; did you mean",
    ),
    "model is a list": (instead("warfarin", "[warfarin]"), "q.yaml:1: key 'model': a list is not text"),
    "no patients": (instead("[ana.yaml]", "[]"), "q.yaml:2: key 'patients': is empty"),
    "missing patient file": (instead("ana.yaml", "anna.yaml"), "key 'patients[0]': no file 'anna.yaml' beside this"),
    "patient is a folder": (instead("ana.yaml", "."), "q.yaml:2: key 'patients[0]': no file '.'"),
    "same patient twice": (instead("[ana.yaml]", "[ana.yaml, ana.yaml]"), "a second patient is called 'ana'"),
    "no regimens": (instead("\n  usual: 5 mg q24h x14", " {}"), "q.yaml:3: key 'regimens': is empty"),
    "regimen without unit": (instead("5 mg q24h x14", "5"), "q.yaml:4: key 'regimens.usual': 5 is no regimen"),
    "regimen in litres": (instead("5 mg q24h", "5 L q24h"), "'L' cannot be converted to 'mg'"),
    "negative dose": (instead("5 mg q24h", "-5 mg q24h"), "q.yaml:4: key 'regimens.usual': amount '-5 mg'"),
    "senseless regimen": (instead("5 mg q24h x14", "five a day"), "q.yaml:4: key 'regimens.usual': "),
    "unknown treatment": (instead("5 mg q24h x14", "[{treatment: pill, amount: 5 mg}]"), "unknown treatment 'pill'"),
    "unknown dose key": (
        instead("5 mg q24h x14", "[{amount: 5 mg, evry: 12 h}]"),
        "usual[0].evry': unknown key; did you mean 'every'?",
    ),
    "unknown outcome": (
        instead("highest_inr", "inr_highest"),
        "q.yaml:5: key 'outcomes[0]': unknown outcome 'inr_highest'; did you mean 'highest_inr'?",
    ),
    "unknown observable": (
        instead("[highest_inr]", "[{highest: inrr}]"),
        "outcomes[0].highest': unknown observable 'inrr'",
    ),
    "outcome of no kind": (instead("[highest_inr]", "[{name: x}]"), "an outcome has exactly one kind, here none"),
    "an outcome that results need": (
        instead("[highest_inr]", "[{name: draw, highest: inr}]"),
        "q.yaml:5: key 'outcomes[0]': an outcome cannot be called 'draw', which results need",
    ),
    "range upside down": (
        instead("[highest_inr]", "[{time_share: inr, low: 3, high: 2}]"),
        "q.yaml:5: key 'outcomes[0]': low 3 is not below high 2",
    ),
    "unknown reference": (SCENARIO + "compare: {reference: usul}\n", "unknown regimen 'usul'; did you mean 'usual'?"),
    "a trillion draws": (SCENARIO + "draws: 1000000000000\n", "q.yaml:6: key 'draws': 1000000000000 is more than"),
    "no draws": (SCENARIO + "draws: 0\n", "q.yaml:6: key 'draws': 0 is less than 1"),
    "half a draw": (SCENARIO + "draws: 1.5\n", "q.yaml:6: key 'draws': 1.5 is not a whole number"),
    "draws in words": (SCENARIO + "draws: many\n", "q.yaml:6: key 'draws': 'many' is not a whole number"),
    "endless number": (SCENARIO + f"draws: {'9' * 5000}\n", "q.yaml:6: a number of 5000 characters"),
    "negative seed": (SCENARIO + "seed: -1\n", "q.yaml:6: key 'seed': -1 is less than 0"),
    "wrong dtype": (SCENARIO + "dtype: float16\n", "q.yaml:6: key 'dtype': 'float16' is not allowed; write 'float64'"),
    "wrong solver": (SCENARIO + "solver: rk4\n", "q.yaml:6: key 'solver': 'rk4' is not allowed; write 'auto'"),
    "no is text": (SCENARIO + "spread: no\n", "q.yaml:6: key 'spread': 'no' is not true or false"),
    "unknown key": (SCENARIO + "outcome: [x]\n", "q.yaml:6: key 'outcome': unknown key; did you mean 'outcomes'?"),
    "until in kilograms": (SCENARIO + "until: 3 kg\n", "q.yaml:6: key 'until': "),
    "until before the start": (SCENARIO + "until: -3 day\n", "q.yaml:6: key 'until': '-3 day' is not after time 0"),
    "until is not a number": (SCENARIO + "until: .nan\n", "q.yaml:6: key 'until': "),
    "times backwards": (SCENARIO + "times: [0, 5, 4]\n", "q.yaml:6: key 'times[2]': 4 is not after the time before"),
    "times after the end": (
        SCENARIO + "until: 1 day\ntimes: [0, 30]\n",
        "q.yaml:7: key 'times': the last, 30 h, is after",
    ),
    "inputs of a regimen": (instead("5 mg q24h x14", "{inputs: 5}"), "key 'regimens.usual.inputs': 5 is not a mapping"),
    "endless times": (SCENARIO + "times: {to: 9 year, every: 1 s}\n", "more than the 100000 allowed"),
    "steps of nothing": (SCENARIO + "times: {to: 9 day, every: 0 h}\n", "the steps lead nowhere"),
    "unknown parameter": (SCENARIO + "parameters: {volum: 3}\n", "unknown parameter 'volum'; did you mean 'volume'?"),
    "parameter in a wrong unit": (SCENARIO + "parameters: {volume: 3 h}\n", "'h' cannot be converted to 'L'"),
    "inputs with odd keys": (
        instead("5 mg q24h x14", '{inputs: {"<mapping>": 5}}'),
        "key 'regimens.usual.inputs.<mapping>': 5 is not a list",
    ),
    "inputs with a path for a key": (instead("5 mg q24h x14", "{inputs: {/x: []}}"), "'/x' is no name"),
    "a zero byte in a patient's path": (instead("ana.yaml", '"a\\0b.yaml"'), "a zero byte in its name"),
    "a zero byte in a record's path": (instead("ana.yaml", '{from: wearable, path: "a\\0b"}'), "a zero byte in its"),
    "a patient's path of 300 letters": (instead("ana.yaml", "a" * 300), "cannot be read (File name too long)"),
    "a record's path of 300 letters": (instead("ana.yaml", f"{{from: fhir, path: {'a' * 300}}}"), "name too long)"),
    "until the end of the world": (SCENARIO + "until: 1e12\n", "q.yaml:6: key 'until': a course of 1e+12 h is longer"),
    "until beyond all numbers": (SCENARIO + "until: 1e299\n", "q.yaml:6: key 'until': a course of 1e+299 h is longer"),
    "times without end": (SCENARIO + "times: [0, 1e15]\n", "key 'times': a course of 1e+15 h is longer"),
    "more patients than anybody types": (
        instead("[ana.yaml]", f"[{'n.yaml, ' * 50_000}]"),
        "q.yaml:2: key 'patients': is longer than 10000; shorten it",
    ),
    "infinite tolerance": (SCENARIO + "tolerance: {relative: .inf}\n", "key 'tolerance.relative': inf is not a finite"),
}

# the same for the patient file that a good scenario names
PATIENTS = {
    "empty": ("", "ana.yaml: is empty"),
    "list": ("- id: ana\n", "ana.yaml:1: a list is not a mapping"),
    "binary": (JUNK, "ana.yaml:1: looks like a binary file"),
    "python tag": (of_ana("id: ana", "id: !!python/name:os.system ana"), "ana.yaml:1: tag "),
    "unknown key": (of_ana("doses:", "dosis:"), "ana.yaml:5: key 'dosis': unknown key; did you mean 'doses'?"),
    "unknown covariate": (of_ana("vkorc1:", "vkorc:"), "ana.yaml:4: key 'covariates.vkorc': unknown covariate 'vkorc'"),
    "unknown level": (of_ana("*1/*3", "*1/*9"), "ana.yaml:4: key 'covariates.cyp2c9': unknown genotype '*1/*9'"),
    "level as a number": (of_ana('"*1/*3"', "13"), "ana.yaml:4: key 'covariates.cyp2c9': unknown level 13"),
    "covariate in a wrong unit": (of_ana("baseline_inr: 1.1", "baseline_inr: 1.1 kg"), "cannot be converted to '1'"),
    "covariate is NaN": (of_ana("baseline_inr: 1.1", "baseline_inr: .nan"), "nan is not a finite number"),
    "covariate is infinite": (of_ana("baseline_inr: 1.1", "baseline_inr: .inf"), "inf is not a finite number"),
    "covariate is empty": (of_ana("baseline_inr: 1.1", "baseline_inr: "), "nothing is neither a number nor text"),
    "covariate is negative": (of_ana("baseline_inr: 1.1", "baseline_inr: -1"), "-1: 'baseline_inr' is never negative"),
    "negative dose": (of_ana("5 mg", "-5 mg"), "ana.yaml:6: key 'doses[0]': amount '-5 mg' is not a finite amount"),
    "dose without unit": (of_ana("5 mg", "5"), "ana.yaml:6: key 'doses[0]': amount 5 has no unit"),
    "dose in a wrong unit": (of_ana("5 mg", "5 mL"), "'mL' cannot be converted to 'mg'"),
    "infinite dose": (of_ana("5 mg", "1e999 mg"), "is not a finite amount"),
    "dose before birth": (of_ana("time: -1 day", "time: 1920-01-01"), "'1920-01-01' is before the patient's birth"),
    "no doses at all": (of_ana("time: -1 day", "time: -1 day, every: 24 h, doses: 0"), "0 is less than 1"),
    "time in kilograms": (of_ana("time: -1 day", "time: -1 kg"), "ana.yaml:6: key 'doses[0].time': "),
    "unknown observable": (of_ana("observable: inr", "observable: INR2"), "unknown observable 'INR2'"),
    "observed in a wrong unit": (of_ana("value: 1.1}", "value: 1.1 mg/L}"), "cannot be converted to '1'"),
    "observed without value": (of_ana(", value: 1.1}", "}"), "ana.yaml:8: key 'observations[0].value': is missing"),
    "observed before birth": (of_ana("time: 0,", "time: -90 year,"), "'-90 year' is before the patient's birth"),
    "observation is text": (of_ana("value: 1.1}", "value: high}"), "'high' is not a number with a unit"),
    "born tomorrow": (
        of_ana("1948-03-14", "2048-03-14"),
        "ana.yaml:2: key 'birth_date': '2048-03-14' makes an age of -",
    ),
    "no such day": (of_ana("1948-03-14", "1948-02-31"), "ana.yaml:2: key 'birth_date': '1948-02-31' is not a date"),
    "a negative chance": (
        of_ana("vkorc1: GA", "vkorc1: {chances: {GG: -0.5, GA: 1.0}}"),
        "ana.yaml:4: key 'covariates.vkorc1.chances.GG': -0.5 is not above 0",
    ),
    "a chance in words": (
        of_ana("vkorc1: GA", "vkorc1: {chances: {GG: often, GA: 1.0}}"),
        "ana.yaml:4: key 'covariates.vkorc1.chances.GG': 'often' is not a number",
    ),
    "series backwards": (
        of_ana("baseline_inr: 1.1", "baseline_inr: [{time: 2, value: 1}, {time: 1, value: 1}]"),
        "ana.yaml:4: key 'covariates.baseline_inr[1].time': 1 goes back before the entry above",
    ),
    "doses is a mapping": (
        of_ana("  - {amount", "  first: {amount"),
        "ana.yaml:5: key 'doses': a mapping is not a list",
    ),
}


def errors_of(arguments: list[str], capsys) -> list[str]:
    """The lines on stderr of a command that must fail as expected."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    captured = capsys.readouterr()
    assert end.value.code == 1
    assert "Traceback" not in captured.out + captured.err
    return captured.err.splitlines()


def one_error(arguments: list[str], capsys, words: str) -> None:
    (line,) = errors_of(arguments, capsys)
    assert line.startswith("error: ")
    assert words in line
    assert len(line) < 400, "a line for people"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with a good patient and scenario; returns how to overwrite one."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, content: str | bytes) -> str:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    write("ana.yaml", ANA)
    write("q.yaml", SCENARIO)
    return write


def test_the_files_they_are_made_from_are_right(files, capsys):
    with pytest.raises(SystemExit) as end:
        main(["check", "q.yaml"])
    assert (end.value.code, capsys.readouterr().err) == (0, "")


@pytest.mark.parametrize("case", SCENARIOS)
def test_a_malformed_scenario_is_one_line(files, capsys, case):
    content, words = SCENARIOS[case]
    one_error(["check", files("q.yaml", content)], capsys, words)


@pytest.mark.parametrize("case", PATIENTS)
def test_a_malformed_patient_is_one_line(files, capsys, case):
    content, words = PATIENTS[case]
    files("ana.yaml", content)
    one_error(["check", "q.yaml"], capsys, words)


def test_a_mapping_to_what_is_no_name_is_said_at_its_place(files, capsys):
    record = "{from: fhir, path: x.json, mapping: {loinc 1-8: {to: [inr, [2]]}}}"
    first, _ = errors_of(["check", files("q.yaml", instead("ana.yaml", record))], capsys)
    assert "key 'patients[0].mapping.loinc 1-8.to[1]': a list is not text" in first


def test_a_zero_byte_in_a_path_is_one_line(files, capsys):
    one_error(["check", "q\0.yaml"], capsys, "a zero byte in its name")
    one_error(["simulate", "q.yaml", "--out", "re\0sults"], capsys, "a zero byte in its name")


def test_a_name_too_long_for_results_is_one_line(files, capsys):
    (line,) = errors_of(["simulate", files(f"{'q' * 250}.yaml", SCENARIO)], capsys)
    assert "results cannot be written" in line


BLANKS = " " * 40_000
ENDLESS = {
    "a quantity": of_ana("baseline_inr: 1.1", f'baseline_inr: "1{BLANKS}x"'),
    "a time": of_ana("time: -1 day", f'time: "1{BLANKS}x"'),
    "a time in words": of_ana("time: -1 day", f'time: "day{BLANKS}x"'),
    "an amount": of_ana("amount: 5 mg", f'amount: "5{BLANKS}/{BLANKS}x"'),
    "digits": of_ana("amount: 5 mg", f'amount: "{"1" * 40_000}x"'),
}
ENDLESS_REGIMENS = {
    "blanks": f"5 mg{BLANKS}q24h",
    "blanks between": f"5 mg{BLANKS}then{BLANKS}x",
    "plus": f"5 mg{BLANKS}+{BLANKS}",
    "digits": "1" * 40_000 + " mg",
    "letters": "5 " + "m" * 40_000,
}


@pytest.mark.parametrize("case", ENDLESS)
def test_what_is_endless_is_refused_at_once(files, capsys, case):
    """Each took 15 to 60 s, which grew with the square of the length; this is 0.1 s, nearly all of it the model's."""
    files("ana.yaml", ENDLESS[case])
    began = time.process_time()
    one_error(["check", "q.yaml"], capsys, "ana.yaml:")
    assert time.process_time() - began < 2


@pytest.mark.parametrize("text", ENDLESS_REGIMENS.values(), ids=ENDLESS_REGIMENS)
def test_a_regimen_without_end_is_read_or_refused_at_once(text):
    began = time.process_time()
    with contextlib.suppress(TwinError):
        parse_text(text)
    assert time.process_time() - began < 1


def test_a_folder_with_a_pipe_in_it_is_searched(files, capsys):
    os.mkfifo("pipe.yaml")
    with pytest.raises(SystemExit) as end:
        main(["check", "."])
    assert end.value.code == 0
    assert "pipe.yaml: is a pipe" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["check"], ["simulate"], ["simulate", "--dry-run"]])
def test_missing_files_are_one_line_in_every_command(files, capsys, command):
    one_error([*command, "none.yaml"], capsys, "none.yaml: no such file")


def test_several_problems_are_one_line_each(files, capsys):
    files("q.yaml", SCENARIO + "draws: 0\nsolver: rk4\nsede: 3\n")
    lines = errors_of(["simulate", "q.yaml"], capsys)
    assert [line.split(": ")[1] for line in lines] == ["q.yaml:6", "q.yaml:7", "q.yaml:8"]


def test_an_unreadable_file_is_one_line(files, capsys):
    os.chmod("q.yaml", 0)
    if os.access("q.yaml", os.R_OK):
        pytest.skip("this user may read every file")
    one_error(["check", "q.yaml"], capsys, "q.yaml: cannot be read")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--draws", "1000000000000"], "1000000000000 is not in the range"),
        (["--dtype", "float16"], "'float16' is not one of"),
        (["--solver", "rk4"], "'rk4' is not one of"),
        (["--sede", "3"], "No such option"),
    ],
)
def test_wrong_options_are_a_usage_error(files, capsys, options, words):
    with pytest.raises(SystemExit) as end:
        main(["simulate", "q.yaml", *options])
    assert end.value.code == 2
    assert words in capsys.readouterr().err
