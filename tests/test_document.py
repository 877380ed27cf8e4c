"""Documents: YAML 1.2 scalars, line numbers, and what is refused in a sentence."""

from __future__ import annotations

import math
import time

import pytest

from twin.errors import TwinError, show
from twin.files.document import parse, read, spell

SCALARS = [  # YAML 1.2's core schema, but for octal-looking and hexadecimal numbers, which stay text
    ("null", None), ("~", None), ("", None),
    ("true", True), ("FALSE", False), ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"),
    ("12", 12), ("-3", -3), ("+4", 4), ("0", 0), ("012", "012"), ("0x1F", "0x1F"), ("1_000", "1_000"),
    ("1e3", 1000.0), ("1.5", 1.5), (".5", 0.5), ("2.", 2.0), ("1E-2", 0.01), (".inf", math.inf), ("-.inf", -math.inf),
    ("12:30", "12:30"), ("2024-01-03", "2024-01-03"), ("5 mg", "5 mg"), ("'12'", "12"), ('"true"', "true"),
    ("1.2.3", "1.2.3"), ("=", "="),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_plain_scalars_follow_yaml_1_2(text, value):
    found = parse(f"key: {text}\n").value["key"]
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_read_so_that_the_place_that_forbids_it_can_say_so():
    assert math.isnan(parse("key: .nan").value["key"])


def test_values_remember_their_lines():
    document = parse("a: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n", "f.yaml")
    assert document.value == {"a": 1, "b": ["x", {"c": 2, "d": 3}]}
    assert [document.line(at) for at in [("a",), ("b",), ("b", 1), ("b", 1, "d")]] == [1, 2, 4, 5]
    assert document.line(("b", 1, "missing")) == 4, "the nearest thing around it that exists"
    assert document.sentence(("b", 1, "d"), "is odd") == "f.yaml:5: key 'b[1].d': is odd"


def test_a_sentence_stays_on_one_line():
    assert "\n" not in parse('"a\\nb": 1', "f.yaml").sentence(("a\nb",), "two\nlines")


@pytest.mark.parametrize("text", ["\ufeffa: 1", "a: 1\r\n", '{"a": 1}', "---\na: 1\n...\n", "# note\na: 1"])
def test_byte_order_mark_crlf_and_json_are_read(tmp_path, text):
    path = tmp_path / "f.yaml"
    path.write_bytes(text.encode())
    assert read(path).value == {"a": 1}


REFUSED = {
    "empty": (b"", "is empty"),
    "comments only": (b"# nothing\n", "is empty"),
    "python tag": (b"a: 1\nb: !!python/object/apply:os.system [ls]", ":2: tag 'tag:yaml.org,2002:python/"),
    "own tag": (b"a: !include other.yaml", ":1: tag '!include'"),
    "standard tag": (b"a: !!str 3", "tag 'tag:yaml.org,2002:str' is refused"),
    "tag on a key": (b"!!str a: 3", "a key must be plain text"),
    "anchor": (b"a: &x 1\nb: *x", ":1: anchors and aliases ('x')"),
    "alias bomb": (b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", ":1: anchors and aliases"),
    "duplicate key": (b"a: 1\nb: 2\na: 3", ":3: key 'a' is given twice (first on line 1)"),
    "two documents": (b"a: 1\n---\nb: 2", ":2: a second document"),
    "tab": (b"a:\n\tb: 1", "no tabs"),
    "open bracket": (b"a: [1, 2", "not valid YAML"),
    "open quote": (b"a: 'b", "not valid YAML"),
    "complex key": (b"? [1, 2]\n: 3", "a key must be plain text"),
    "empty key": (b"'': 3", "a key must be plain text"),
    "zero byte": (b"a: 1\nb: \x00", ":2: looks like a binary file"),
    "control character": (b"a: \x07", "not valid YAML"),
    "latin-1": ("a: 1\nb: é".encode("latin-1"), ":2: is not UTF-8"),
    "utf-16": ("a: 1".encode("utf-16"), "binary file"),
    "picture": (b"\x89PNG\r\n\x1a\n\x00\x00", "binary file"),
    "endless number": (b"a: " + b"9" * 5000, "a number of 5000 characters"),
    "too large": (b"# " + b"x" * 5_000_001, "larger than 5 MB"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_data_is_refused_in_one_sentence(tmp_path, case):
    raw, words = REFUSED[case]
    path = tmp_path / "f.yaml"
    path.write_bytes(raw)
    with pytest.raises(TwinError) as refusal:
        read(path)
    message = str(refusal.value)
    assert words in message
    assert message.startswith(f"{path}:")
    assert "\n" not in message


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[{a: "])
def test_deep_nesting_is_refused_quickly(opening):
    began = time.perf_counter()
    with pytest.raises(TwinError, match=r"nested deeper|plain text|not valid YAML"):
        parse(opening * 1_000_000)
    assert time.perf_counter() - began < 2.0  # seconds; it takes some 10 ms, a recursion error would take longer


def test_forty_levels_are_read_and_one_more_is_not():
    assert parse("[" * 40 + "]" * 40).value
    with pytest.raises(TwinError, match="nested deeper than 40 levels"):
        parse("[" * 42 + "]" * 42)


def test_missing_files_and_folders_are_named(tmp_path):
    for path, words in [
        (tmp_path / "none.yaml", "no such file"),
        (tmp_path, "is a folder"),
        ("x" * 5000, "cannot be read"),
    ]:
        with pytest.raises(TwinError, match=words):
            read(path)


def test_locations_and_values_are_spelt_for_people():
    assert spell(("doses", 2, "amount")) == "doses[2].amount"
    assert [show(v) for v in (None, True, 3, "x", {}, [])] == ["nothing", "true", "3", "'x'", "a mapping", "a list"]
    assert len(show("x" * 500)) <= 60
