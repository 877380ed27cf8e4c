"""An identifier that stands in any cell of a record, in any name of a column, is never repeated: not by an error, and
not by a report. A seeded share of all places, each with a mutation drawn for it."""

from __future__ import annotations

import json
import random

import pytest

from tests.ingest.records import PERSON, bundle, drug, line, observation, quantity, written
from tests.ingest.test_fhir_hostile import changed, places
from tests.ingest.test_omop import TABLES, write
from twin.errors import TwinError
from twin.ingest import read_patients
from twin.ingest.sources import bind
from twin.library import load_model

PLANTED = "Zyxwvu-Qrst"  # no part of it is a word of ours
WARFARIN, DIABETES = load_model("warfarin"), load_model("type1_diabetes_replaybg")

NONMEM = [
    "ID,TIME,EVID,AMT,CMT,RATE,II,ADDL,SS,DV,MDV,SEX", "7,0,1,100,1,0,12,3,0,.,1,M", "7,4,0,.,2,.,.,.,.,5.5,0,M",
]  # fmt: skip
CLARITY = [
    "Index,Timestamp (YYYY-MM-DDThh:mm:ss),Event Type,Event Subtype,Patient Info,Glucose Value (mg/dL)",
    "1,,FirstName,,Jane,", "2,2024-05-06T08:00:00,EGV,,,100", "3,2024-05-06T08:05:00,EGV,,,Low",
]  # fmt: skip
SCALE = ["time,patient,weight (kg)", "2024-05-06 08:00,a,70.5", "2024-05-07 08:00,a,70.1"]
LESIONS = [
    "patient,day,lesion,kind,diameter,status",
    "a,0,L1,target,20,",
    "a,40,L1,target,12,",
    "a,40,L2,non-target,,cr",
]
GENES = ["patient,gene,diplotype,phenotype", "a,CYP2C9,*1/*3,Intermediate Metabolizer", "a,VKORC1,GA,"]
VCF = [
    "##fileformat=VCFv4.2", "##reference=GRCh38", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tann",
    "chr16\t31096368\trs9923231\tC\tT\t50\tPASS\t.\tGT:GQ\t0/1:99",
    "chr10\t94942290\trs1799853\tC\tT\t50\tPASS\t.\tGT:GQ\t0/0:99",
]  # fmt: skip
# name: (lines, what divides them, the reader, its file, the model, options)
DELIMITED = {
    "nonmem": (NONMEM, ",", "data.csv", DIABETES, {"mapping": {"cmt 1": "insulin", "cmt 2": "plasma_glucose"}}),
    "wearable": (CLARITY, ",", "clarity.csv", DIABETES, {"zone": "UTC"}),
    "wearable, a table": (SCALE, ",", "scale.csv", DIABETES, {"zone": "UTC"}),
    "imaging": (LESIONS, ",", "lesions.csv", DIABETES, {}),
    "genome": (GENES, ",", "genes.csv", WARFARIN, {}),
    "genome, VCF": (VCF, "\t", "a.vcf", WARFARIN, {}),
}
WAYS = ("cell", "row", "cut", "twice", "no header", "more cells", "quoted")


def planted(lines: list[str], divide: str, row: int, column: int, way: str) -> str:
    """The text with the identifier in a cell, and something else wrong."""
    cells = [line.split(divide) for line in lines]
    cells[row][column] = f'"{PLANTED}' if way == "quoted" else PLANTED
    if way == "row":
        cells[row] = [PLANTED] * len(cells[row])
    elif way == "cut":
        cells[row] = cells[row][: column + 1]
    elif way == "twice":
        cells.append([*cells[row]])
        cells[row].append(PLANTED)
    elif way == "no header":
        del cells[0]
    elif way == "more cells":
        cells[row] += [PLANTED, PLANTED]
    return "\n".join(divide.join(one) for one in cells) + "\n"


def told(reader: str, path, model, **options) -> str:
    """Everything that is said of a file: the error, or the report and the refusals."""
    try:
        patients, report = read_patients(reader, path, model, **options)
    except TwinError as problem:
        return str(problem)
    people, refused = bind(patients, model)
    return report.text() + repr(report.rows()) + repr(refused) + repr([person.id for person in people])


@pytest.mark.parametrize("name", DELIMITED)
def test_a_cell_of_a_table_is_never_repeated(tmp_path, name):
    lines, divide, file, model, options = DELIMITED[name]
    draw = random.Random(name)
    spots = [(row, column) for row, text in enumerate(lines) for column in range(len(text.split(divide)))]
    for row, column in spots:
        for way in {"cell", draw.choice(WAYS), draw.choice(WAYS)}:
            path = written(tmp_path, planted(lines, divide, row, column, way), file)
            said = told(name.partition(",")[0], path, model, **options)
            if row == 0 and way != "no header":  # a report names the columns that nothing uses
                said = said.partition("\n")[0]
            assert "yxw" not in said.lower(), (row, column, way, said)


TAKEN = drug("MedicationAdministration", effectiveDateTime="2024-05-01T08:00:00Z", dosage={"dose": quantity(5, "mg")})
ORDERED = drug("MedicationRequest", status="active", authoredOn="2024-05-01", dosageInstruction=[line()])
RECORD = bundle(PERSON, observation(), TAKEN, ORDERED)


def test_a_value_in_a_bundle_is_never_repeated(tmp_path):
    for at in places(RECORD):
        said = told("fhir", written(tmp_path, changed(RECORD, at, PLANTED)), WARFARIN, orders="use")
        assert "yxw" not in said.lower(), (at, said)


def test_a_key_in_a_bundle_is_never_repeated(tmp_path):
    text = json.dumps(RECORD)
    keys = sorted({str(at[-1]) for at in places(RECORD) if at and isinstance(at[-1], str)})
    for key in keys:
        for new in (f'"{PLANTED}":', f'"{PLANTED}": 1, "{PLANTED}":'):
            path = written(tmp_path, text.replace(f'"{key}":', new))
            said = told("fhir", path, WARFARIN, orders="use")
            assert "yxw" not in said.lower(), (key, said)


def test_a_cell_of_a_database_is_never_repeated(tmp_path):
    draw = random.Random("omop")
    spots = [
        (name, row, column)
        for name, lines in TABLES.items()
        for row, text in enumerate(lines)
        for column in range(len(text.split(",")))
    ]
    for name, row, column in draw.sample(spots, 60):
        tables = dict(TABLES)
        tables[name] = planted(list(TABLES[name]), ",", row, column, draw.choice(WAYS)).splitlines()
        said = told("omop", write(tmp_path / "cdm", tables), WARFARIN, cohort=[1, 2, 3], orders="use")
        assert "yxw" not in said.lower(), (name, row, column, said)
