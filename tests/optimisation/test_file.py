"""`optimise` of a scenario file: what is wrong with it is one sentence with its line and what to do."""

from __future__ import annotations

import random
import re

import pytest

from twin.errors import TwinError
from twin.files.document import parse
from twin.regimen.template import Template, fill, levels, steps
from twin.scenario import check

from .toy import AIM, find

TEXT = """\
model: vancomycin
patients: [{id: ana, covariates: {age: 60, sex: male, weight: 80 kg, creatinine: 1.4, dialysis: none}}]
regimens: {usual: 1 g over 1 h q12h}
outcomes:
  - {area: vancomycin, name: auc24, since: 48 h, until: 72 h}
  - {highest: vancomycin, name: highest}
optimise:
  regimen: "{dose} over 1 h q{every}"
  choose:
    dose: {from: 500 mg, to: 3000 mg, step: 250 mg}
    every: [8 h, 12 h, 24 h]
  where: dose / every > 30
  maximise: {probability: auc24, from: 400, to: 600}
  subject_to:
    - {probability: highest, above: 60, at_most: 20 %}
  search: {method: auto, draws: [64, 512], fresh: 512}
until: 72 h
"""

CASES = [
    ('q{every}"', 'q{evry}"', 8, "the regimen has a slot {evry} that nothing is chosen for; did you mean 'every'?"),
    ('q{every}"', 'q12h"', 8, "'every' is chosen and stands nowhere in the regimen; write {every} where it goes"),
    ("1 h q{", "1 h each {", 8, "cannot be read; write 'AMOUNT"),
    ("{dose} over", "{dose} nothing over", 8, "unknown treatment 'nothing'"),
    ("to: 3000 mg", "to: 400 mg", 10, "from '500 mg' to '400 mg' there is nothing between; let 'to' be the larger"),
    ("step: 250 mg", "step: 400 mg", 10, "do not lead to '3000 mg'; end them at '2900 mg'"),
    ("step: 250 mg", "step: 0 mg", 10, "a step of '0 mg' leads nowhere"),
    ("step: 250 mg", "step: 0.25 g", 10, "in the same unit"),
    ("to: 3000 mg", "to: 3 g", 10, "the units differ; write both in one"),
    ("[8 h, 12 h, 24 h]", "[8 h, 8 h]", 11, "'8 h' is listed twice; keep one"),
    ("[8 h, 12 h, 24 h]", "[]", 11, "is empty; fill it in"),
    ("[8 h, 12 h, 24 h]", "[8 h, 1 day]", 8, "where: the values of 'every' are no numbers of one unit"),
    ("where: dose / every > 30", "where: dose > ", 12, "the condition 'dose >' cannot be read"),
    ("where: dose / every > 30", "where: amount > 30", 8, "where: 'amount' is not chosen; known: dose, every"),
    ("where: dose / every > 30", "where: dose > 30000", 8, "where: no combination is allowed; widen it"),
    ("probability: auc24", "probability: auc", 13, "'auc' is none of the outcomes; did you mean 'auc24'?"),
    ("from: 400, to: 600", "from: 600, to: 400", 13, "the range is empty"),
    (", from: 400, to: 600", "", 13, "add a range, such as above: 10"),
    ("probability: auc24", "mean: auc24", 13, "leave from, to, above and below out"),
    ("{probability: auc24, from: 400, to: 600}", "{}", 13, "exactly one of mean, probability, quantile, utility"),
    ("from: 400, to: 600", "from: 4 kg, to: 600", 13, "write one such as"),
    ("{probability: auc24, from: 400, to: 600}", "{utility: auc24.real}", 13, "'auc24.real' is not allowed"),
    ("{probability: auc24, from: 400, to: 600}", "{utility: exec(1)}", 13, "'exec(1)' is not allowed"),
    ("{probability: auc24, from: 400, to: 600}", "{quantile: auc24}", 13, "'share' says which quantile"),
    ("{probability: auc24, from: 400, to: 600}", "{quantile: auc24, share: 120 %}", 13, "is not between 0 and 1"),
    ("  maximise: {probability: auc24, from: 400, to: 600}\n", "", 7, "says neither what to maximise"),
    (", at_most: 20 %", "", 15, "a constraint says at_least or at_most; add one, such as at_most: 5 %"),
    ("at_most: 20 %", "at_most: 20", 15, "at_most 20 is no probability; write one such as '5 %'"),
    ("at_most: 20 %", "at_most: 20 %, at_least: 30 %", 15, "at_least is above at_most"),
    ("draws: [64, 512]", "draws: [512, 64]", 16, "64 is not more than the 512 before it; write rising numbers"),
    ("draws: [64, 512]", "draws: [4]", 16, "draws are between 16 and 1000000"),
    ("method: auto", "method: guess", 16, "'guess' is not allowed; write 'auto', 'table', 'gradient' or 'evolution'"),
    ("method: auto", "method: gradient", 16, "a search by gradients has no constraints"),
    (", step: 250 mg", "", 16, "a search by gradients has no constraints; give choose steps"),
    ("until: 72 h\n", "", 7, "candidates have to be followed equally long; add 'until: 7 day' to the scenario"),
    ("choose:", "chose:", 9, "unknown key; did you mean 'choose'?"),
    ("search: {", "for: nobody\n  search: {", 16, "'nobody' is not allowed; write 'each' or 'all'"),
]  # fmt: skip


def test_the_file_that_is_spoilt_below_is_whole(tmp_path):
    (tmp_path / "q.yaml").write_text(TEXT, encoding="utf-8")
    checked = check(tmp_path / "q.yaml")
    assert checked.problems == ()
    assert checked.scenario is not None
    assert checked.scenario.aim is not None
    assert checked.scenario.aim.template.count == 33


@pytest.mark.parametrize(
    ("old", "new", "line", "words"), CASES, ids=[f"{new[:30]}-{line}" for _, new, line, _ in CASES]
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, old, new, line, words):
    assert TEXT.count(old) == 1
    path = tmp_path / "q.yaml"
    path.write_text(TEXT.replace(old, new), encoding="utf-8")
    problems = check(path).problems
    assert problems
    assert any(one.startswith(f"{path}:{line}: ") and words in one for one in problems), problems


def test_a_file_spoilt_at_random_is_refused_or_valid(tmp_path):
    """One to three words changed, doubled or lost: a sentence with file and line, or a scenario; no traceback."""
    rng = random.Random(4)
    tokens = [
        "dose",
        "{dose}",
        "from",
        "0",
        "-1",
        "1e999",
        "null",
        "[]",
        "{}",
        "auc24",
        "at_most",
        "'{'",
        "5 %",
        "x" * 400,
    ]
    begin, refused = TEXT.index("optimise:"), 0
    for number in range(80):
        text = TEXT
        for _ in range(rng.randint(1, 3)):
            words = [m.span() for m in re.finditer(r"[\w.%]+|[{}\[\],:]", text) if m.start() > begin]
            a, b = rng.choice(words)
            text = text[:a] + rng.choice([rng.choice(tokens), "", text[a:b] + " " + text[a:b]]) + text[b:]
        path = tmp_path / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        checked = check(path)
        refused += bool(checked.problems)
        assert checked.problems or checked.scenario is not None
        for sentence in checked.problems:
            assert re.match(rf"{re.escape(str(path))}(:\d+)?: ", sentence), sentence
            assert "\n" not in sentence.strip()
    assert refused > 30


def test_python_is_told_the_same():
    with pytest.raises(TwinError, match=r"optimise\.maximise: 'acu' is none of the outcomes; did you mean 'auc'\?"):
        find(AIM | {"maximise": {"mean": "acu"}})
    with pytest.raises(TwinError, match=r"optimise\.chose: unknown key"):
        find(AIM | {"chose": {}})


def test_slots_are_filled_wherever_they_stand():
    spec = {"start": "{dose} q24h", "rules": [{"above": "{high}", "skip": "{n}"}, {"dose": "x {up}"}], "n": 3}
    filled = fill(spec, {"dose": "5 mg", "high": 3.5, "n": 2, "up": 1.1})
    assert filled == {"start": "5 mg q24h", "rules": [{"above": 3.5, "skip": 2}, {"dose": "x 1.1"}], "n": 3}
    template = Template("{a} q{b}", {"a": steps("1 mg", "2 mg", "0.1 mg"), "b": levels(["12 h", "24 h"])})
    assert template.count == 22
    assert [str(one) for one in template.candidate(21)] == ["2 mg", "24 h"]
    assert template.candidate(7) == list(template.everything())[7]
    assert str(template.levels("a")[3]) == "1.3 mg"  # no 1.3000000000000003


def test_yaml_and_python_are_one(tmp_path):
    """The words of a file are the words of a mapping."""
    said = parse(TEXT).value["optimise"] | {"where": None}
    del said["where"]
    assert set(said) == {"regimen", "choose", "maximise", "subject_to", "search"}
