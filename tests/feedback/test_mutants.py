"""Files with rules that somebody, or something, has spoilt: each is refused with its line, or valid; nothing else."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from twin.scenario import check

TEXT = (Path(__file__).parents[2] / "scenarios" / "warfarin" / "titrated.yaml").read_text(encoding="utf-8")
MORE = """
    adherence: {taken: 80 %, holidays: 3, late: 2 h}
  by several:
    start: 5 mg q24h
    feedback:
      - measure: inr
        at: [day 3, then every 7 day]
        lines: {less: 2 mg q24h x20}
        rules:
          - {above: 6, chance: 20 %, leave: true}
          - {above: 5, stop: true, give: = inr / 2 tablet, limit: 1}
          - {when: inr < 0.5 * baseline and line == "start", resume: true}
          - {above: 4, switch: less, hold: {until: inr < 3 and change < 0, again: 2 day}}
          - {below: 2, once: '= max(1, dose * (2.5 - inr)) + (vkorc1 == "GA")', dose: x 1.1}
          - {dose: same}
      - name: other
        measure: s_warfarin
        at: {dose: each}
        rules: [{when: time < 50, dose: = 0.1 * age}, {dose: same}]
"""
WHOLE = TEXT.replace("compare:", MORE.strip("\n") + "\ncompare:")
TOKENS = [
    "above", "below", "from", "to", "when", "dose", "hold", "skip", "every", "next", "give", "levels", "again", "stop",
    "x 1.1", "-5 %", "up", "5", "-1", "1e999", ".nan", "true", "null", "[]", "{}", "day 3", "then every 7 day",
    "inr > 4", "a.b.c()", "(((((((((", "x" * 300, "5 mg", "2 h", "110 %", "'*'",
    "resume", "switch", "leave", "limit", "chance", "lines", "until", "baseline", "line", "= 2 *", "= inr",
    "= 9 ** 9 ** 9", "= log(", "less", "start", "- measure: inr", "!!python/object:os.system", "&a", "*a", "\\0",
]  # fmt: skip


def mutants(count: int, seed: int, whole: str = "", key: str = "feedback:") -> list[str]:
    """The scenario with one to three words changed, moved, doubled or lost, mostly after a key."""
    rng, whole = random.Random(seed), whole or WHOLE
    begin = whole.index(key)
    found = []
    for _ in range(count):
        text = whole
        for _ in range(rng.randint(1, 3)):
            words = [
                m.span() for m in re.finditer(r"[\w.%]+|[{}\[\],:]", text) if m.start() > begin or rng.random() < 0.1
            ]
            a, b = rng.choice(words)
            c, d = rng.choice(words)
            change = rng.randrange(5)
            if change == 0:
                text = text[:a] + rng.choice(TOKENS) + text[b:]
            elif change == 1:
                text = text[:a] + text[b:]
            elif change == 2:
                text = text[:a] + text[c:d] + text[b:]
            elif change == 3:
                text = text[:b] + " " + text[c:d] + text[b:]
            else:
                lines = text.split("\n")
                i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
                lines[i], lines[j] = lines[j], lines[i]
                text = "\n".join(lines)
        found.append(text)
    return found


def test_the_file_is_valid_until_it_is_spoilt(tmp_path):
    path = tmp_path / "whole.yaml"
    path.write_text(WHOLE, encoding="utf-8")
    assert not check(path).problems
    line = next(i for i, text in enumerate(WHOLE.split("\n"), 1) if "time < 50" in text)
    path.write_text(WHOLE.replace("time < 50", "tim < 50"), encoding="utf-8")
    (problem,) = check(path).problems
    assert problem.startswith(f"{path}:{line}: ")
    assert "unknown name 'tim'; did you mean 'time'?" in problem


@pytest.mark.parametrize(("count", "seed"), [(60, 1), pytest.param(2000, 2, marks=pytest.mark.slow)])
def test_a_spoilt_file_is_refused_or_valid(tmp_path, count, seed):
    require_sentences(tmp_path, mutants(count, seed))


def require_sentences(tmp_path: Path, texts: list[str]) -> None:
    """Each file is valid, or every problem with it one sentence with its place; a third has some."""
    refused = 0
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        checked = check(path)
        if checked.problems:
            refused += 1
            for sentence in checked.problems:
                assert re.match(rf"{re.escape(str(path))}(:\d+)?: ", sentence), sentence
                assert "\n" not in sentence.strip()
                assert "Traceback" not in sentence
        else:
            assert checked.scenario is not None
    assert refused > len(texts) / 3
