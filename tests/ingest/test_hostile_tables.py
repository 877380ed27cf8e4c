"""Wrong tables: each gives one clear sentence with the file, the line and what to do, and no value of a person."""

from __future__ import annotations

import re

import pytest

from tests.calibration.models import Oral
from tests.ingest.test_nonmem import WithCovariates
from twin.errors import TwinError
from twin.ingest import nonmem
from twin.ingest.nonmem import delimited, letters

HEAD = "ID,TIME,EVID,AMT,CMT,RATE,II,ADDL,SS,DV,MDV\n"
DOSE, SEEN = "7,0,1,100,1,0,0,0,0,.,1\n", "7,4,0,.,2,.,.,.,.,5.5,0\n"
GOOD = HEAD + DOSE + SEEN


def changed(**fields: str) -> str:
    """The good table, with other fields in its dose row."""
    said = dict(zip(HEAD.strip().split(","), DOSE.strip().split(","), strict=True)) | fields
    return HEAD + ",".join(said.values()) + "\n" + SEEN


# name: (the file, options, what the sentence says)
CASES = {
    "ragged row, short": (GOOD + "7,5,0\n", {}, "line 4: 3 fields where the header has 11; write '.' for a field"),
    "ragged row, long": (GOOD + SEEN.replace("5.5", "5,5"), {}, "line 4: 12 fields where the header has 11; a decimal"),
    "several ragged rows": (GOOD + "1\n2\n", {}, "and so have 1 more rows"),
    "two headers": (GOOD + HEAD, {}, "line 4: column EVID holds text where a number belongs; it repeats the header"),
    "no header": (DOSE + SEEN, {}, "the first line holds numbers where names of columns belong"),
    "duplicate columns": (GOOD.replace("RATE", "amt"), {}, "columns 4 and 6 have one name"),
    "two columns of one meaning": (GOOD, {"names": {"RATE": "DV"}}, "two columns mean DV"),
    "a column without a name": (GOOD.replace("RATE", ""), {}, "column 6 has no name"),
    "an unknown name": (GOOD, {"names": {"CONC": "DV"}}, "no column 'CONC'"),
    "decimal commas": (GOOD.replace(",", ";").replace("5.5", "5,5"), {}, "line 3: column DV .* decimal comma: write a"),
    "text for a number": (GOOD.replace("5.5", "high"), {}, "line 3: column DV holds text where a number belongs"),
    "a censored reading in words": (GOOD.replace("5.5", "<5.5"), {}, "line 3: .* 1 for it in a column CENS"),
    "NaN": (GOOD.replace("5.5", "nan"), {}, "line 3: column DV .* NaN and Inf are no measurements"),
    "Inf": (GOOD.replace("5.5", "-Inf"), {}, "line 3: column DV .* NaN and Inf are no measurements"),
    "too large for a number": (GOOD.replace("5.5", "1e999"), {}, "line 3: column DV holds text"),
    "time going backwards": (GOOD + SEEN.replace("7,4", "7,3"), {}, r"line 4 \(patient .*TIME goes back; sort"),
    "TIME missing": (changed(TIME="."), {}, r"line 2 .* TIME is missing"),
    "ID missing": (changed(ID="."), {}, "line 2: the ID is missing"),
    "no ID column": (GOOD.replace("ID,", "WHO,", 1), {}, "no column ID"),
    "an ID that comes back": (GOOD + "8,0,1,100,1,0,0,0,0,.,1\n" + SEEN, {}, "line 5: patient .* comes back after"),
    "negative AMT": (changed(AMT="-100"), {}, "line 2 .* AMT is negative"),
    "no AMT": (changed(AMT="."), {}, "line 2 .* a dose without an amount"),
    "AMT on a reading": (changed(EVID="0", DV="3", MDV="0"), {}, "line 2 .* AMT stands on a row whose EVID gives no"),
    "EVID 5": (changed(EVID="5"), {}, "line 2 .* EVID is not one of 0 to 4"),
    "EVID 101": (changed(EVID="101"), {}, "line 2 .* EVID is not one of 0 to 4"),
    "RATE -3": (changed(RATE="-3"), {}, "line 2 .* RATE is neither a rate nor -1"),
    "ADDL without II": (changed(ADDL="3"), {}, "line 2 .* ADDL without an interval"),
    "half an ADDL": (changed(ADDL="1.5", II="12"), {}, "line 2 .* ADDL is no whole number"),
    "a hundred million doses": (changed(ADDL="99999999", II="12"), {}, "line 2 .* ADDL is 100000 or more"),
    "II alone": (changed(II="12"), {}, "line 2 .* II without ADDL or SS"),
    "negative II": (changed(II="-12", ADDL="1"), {}, "line 2 .* II is negative"),
    "SS 3": (changed(SS="3", II="12"), {}, "line 2 .* SS is not one of 0, 1, 2"),
    "SS without II": (changed(SS="1"), {}, "line 2 .* SS without an interval"),
    "a compartment turned off": (changed(CMT="-1"), {}, "line 2 .* compartments cannot be turned off"),
    "DV missing": (GOOD.replace("5.5", "."), {}, "line 3 .* DV is missing though MDV is 0"),
    "MDV 7": (changed(MDV="7"), {}, "line 2 .* MDV is not one of 0, 1"),
    "no limit": ("ID,TIME,DV,BLQ\n1,0,.,1\n", {}, "line 2 .* neither DV nor LLOQ says the limit"),
    "a date that does not exist": ("ID,DAT1,TIME,DV\n1,30-02-2024,8:00,5\n", {}, "line 2: column DAT1 is not a date"),
    "a month 13": ("ID,DATE,TIME,DV\n1,1/2/2024,8:00,5\n1,13/2/2024,8:00,5\n", {}, "line 3: column DATE is not a date"),
    "the year 9999": ("ID,DAT2,TIME,DV\n1,9999-01-01,8:00,5\n", {}, "line 2: column DAT2 is not a date"),
    "a time of ages": ("ID,DAT2,TIME,DV\n1,2024-01-01,1e300,5\n", {}, "line 2: column TIME is not a clock time"),
    "25 o'clock": ("ID,TIME,DV\n1,25:00,5\n", {}, "line 2: column TIME is not a clock time"),
    "two columns of dates": ("ID,DATE,DAT1,TIME,DV\n1,1,1,1,5\n", {}, "two columns of dates"),
    "dates in days": ("ID,TIME,DV\n1,8:00,5\n", {"time_unit": "day"}, "dates and clock times are read as hours"),
    "an open quotation": (GOOD + '7,5,0,.,2,.,.,.,.,"5,0\n', {}, "line 4: a quotation mark is never closed"),
    "a very long field": (GOOD.replace("5.5", "5" * 300), {}, "line 3: column DV holds 300 characters"),
    "empty": ("", {}, "is empty"),
    "only blanks": (" \n\n ", {}, "is empty"),
    "a header alone": (HEAD, {}, "has column names and no rows"),
    "only a heading": ("TABLE NO. 1\n", {}, "has no line of column names"),
    "binary": (b"ID,TIME\n\x00\x01\x02", {}, "is a binary file"),
    "a zip archive": (b"PK\x03\x04rest", {}, "is a zip archive"),
    "a gzip archive": (b"\x1f\x8b\x08rest", {}, "is a gzip archive"),
    "UTF-16": (GOOD.encode("utf-16"), {}, "is UTF-16 text"),
    "Latin-1": (GOOD.encode() + "7,5,0,.,2,.,.,.,.,µ,0\n".encode("latin-1"), {}, "line 4: a letter is not UTF-8"),
}  # fmt: skip


def complaint(path, **options) -> str:
    with pytest.raises(TwinError) as raised:
        nonmem.read_table(path, **options)
    return str(raised.value)


@pytest.mark.parametrize(("content", "options", "said"), CASES.values(), ids=CASES)
def test_a_wrong_table_is_refused_in_one_sentence(content, options, said, tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    message = complaint(path, **options)
    assert len(message.splitlines()) == 1
    assert message.startswith("data.csv")
    assert re.search(said, message), message


def test_every_kind_of_problem_is_said_at_once(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(GOOD + "7,3,5,-1,1,-3,0,0,9,.,1\n7,2,5,1,1,0,0,0,0,.,1\n")
    lines = complaint(path).splitlines()
    assert len(lines) == 5
    assert "(1 more rows like it)" in "".join(line for line in lines if "EVID" in line)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "data.csv"
    path.write_text(GOOD)
    monkeypatch.setattr(letters, "MOST_BYTES", 20)
    assert "split it by ID" in complaint(path)


@pytest.mark.parametrize("name", ["missing.csv", "", "x" * 300, "nul\0"])
def test_a_file_that_is_not_there(name, tmp_path):
    assert "cannot be read" in complaint(f"{tmp_path}/{name}")


@pytest.mark.parametrize("options", [{"ignore": "x"}, {"decimal": ";"}, {"carry": "up"}, {"recurring": "yes"}])
def test_unknown_options(options, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(GOOD)
    assert " or " in complaint(path, **options)


# name: (rows after the header and a dose, the mapping, what the sentence says)
_ALL = {"cmt 1": "oral", "cmt 2": "concentration"}
UNBOUND = {
    "a dose nothing takes": (SEEN, {"cmt 2": "concentration"}, "line 2 .* which treatment a dose with cmt 1 feeds"),
    "a reading nothing takes": (SEEN, {"cmt 1": "oral"}, "line 3 .* which observable a reading with cmt 2 feeds"),
    "a dose to an observable": (
        SEEN,
        _ALL | {"cmt 1": "concentration"},
        "mapping 'cmt 1': a dose with cmt 1 feeds no obs",
    ),
    "a wrong unit": (SEEN, _ALL | {"cmt 2": {"to": "concentration", "unit": "kg"}}, "unit 'kg' does not fit 'mg/L'"),
    "a counted dose": (SEEN, _ALL | {"cmt 1": {"to": "oral", "each": "5 mg"}}, "AMT is an amount, not a count"),
    "an unknown name": (SEEN, _ALL | {"cmt 1": "orla"}, "did you mean 'oral'"),
}


@pytest.mark.parametrize(("rows", "mapping", "said"), UNBOUND.values(), ids=UNBOUND)
def test_a_table_that_does_not_fit_a_model_is_refused(rows, mapping, said, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(HEAD + DOSE + rows)
    table, _ = nonmem.read_table(path)
    with pytest.raises(TwinError, match=said):
        table.bind(Oral(), mapping)


COLUMNS = {
    "a word for a number": (
        "heavy",
        "column WT",
        "weight",
        "line 2 .* column WT holds words, and 'weight' is a number",
    ),
    "a negative weight": ("-70", "column WT", "weight", "line 2 .* WT is negative; 'weight' never is"),
    "an unknown level": ("x", "column WT", "sex", "line 2 .* column WT holds no level of 'sex'; .* female, male"),
    "an observable": ("5", "column WT", "concentration", "a column of covariates feeds no observable"),
}


@pytest.mark.parametrize(("field", "code", "name", "said"), COLUMNS.values(), ids=COLUMNS)
def test_a_column_that_does_not_fit_a_model_is_refused(field, code, name, said, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(f"ID,TIME,AMT,WT\n1,0,5,{field}\n")
    table, _ = nonmem.read_table(path)
    with pytest.raises(TwinError, match=said) as raised:
        table.bind(WithCovariates(), {"column AMT": "oral", code: name})
    assert "heavy" not in str(raised.value)


@pytest.mark.parametrize("row", ["1,0,1,5,1,-2,.,.", "1,0,1,5,1,0,12,2"])
def test_what_a_chart_cannot_say_is_refused(row, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(f"ID,TIME,EVID,AMT,CMT,RATE,II,SS\n{row}\n")
    with pytest.raises(TwinError, match=r"data.csv line 2 .* no place in a chart"):
        nonmem.read(path)


def test_words_of_a_column_that_is_no_text(tmp_path):
    """A column of comments fits, as long as its fields are short."""
    path = tmp_path / "data.csv"
    path.write_text('A,B\n1,"said ""yes"""\n2,\n')
    sheet = delimited.read(path)
    assert sheet.words("B").levels == ('said "yes"',)
    assert sheet.words("B").codes.tolist() == [0, -1]
