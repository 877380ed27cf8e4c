"""Imaging: RECIST worked by hand, 239 real patients' lesions, and images made here whose volumes are known."""

import csv
import datetime
import gzip
import math

import numpy as np
import pytest

from twin.errors import TwinError
from twin.ingest import imaging
from twin.ingest.imaging import contours, lesions, recist
from twin.ingest.imaging.recist import Visit
from twin.ingest.privacy import pseudonym
from twin.ingest.report import CONVERTED, DROPPED, DUPLICATE, FLAGGED, READ, UNUSED


def found(chart, code):
    return [(r.time, r.value) for r in chart.readings if any(c.value == code for c in r.codes)]


def written(folder, text, name="lesions.csv"):
    path = folder / name
    path.write_text(text)
    return path


# --- RECIST -------------------------------------------------------------------------------------------

COURSES = [
    ("smaller by 30 %", [Visit(0, 100), Visit(1, 70)], ["PR"]),
    ("smaller by 29 %", [Visit(0, 100), Visit(1, 71)], ["SD"]),
    ("20 % above the smallest", [Visit(0, 100), Visit(1, 50), Visit(2, 60)], ["PR", "PD"]),
    ("20 % but only 4 mm", [Visit(0, 30), Visit(1, 20), Visit(2, 24)], ["PR", "SD"]),
    ("5 mm but only 10 %", [Visit(0, 100), Visit(1, 105)], ["SD"]),
    ("all gone", [Visit(0, 100), Visit(1, 0, gone=True)], ["CR"]),
    ("gone, non-targets left", [Visit(0, 100), Visit(1, 0, gone=True, non_target="present")], ["PR"]),
    ("gone, nodes left below 10 mm", [Visit(0, 30), Visit(1, 8, gone=True, non_target="CR")], ["CR"]),
    ("a new lesion", [Visit(0, 100), Visit(1, 50, new_lesions=True)], ["PD"]),
    ("non-targets grow", [Visit(0, 100), Visit(1, 50, non_target="PD")], ["PD"]),
    ("one not measured", [Visit(0, 100), Visit(1, 40, missing=1)], ["NE"]),
    ("growth though one not measured", [Visit(0, 50), Visit(1, 70, missing=1)], ["PD"]),
    ("after a visit with one missing", [Visit(0, 100), Visit(1, 20, missing=1), Visit(2, 71)], ["NE", "SD"]),
]


@pytest.mark.parametrize(("case", "visits", "expected"), COURSES, ids=[c[0] for c in COURSES])
def test_responses(case, visits, expected):
    assert recist.responses(visits) == ["baseline", *expected]


def test_best_response_and_progression():
    course = [Visit(0, 100), Visit(42, 90), Visit(84, 60), Visit(126, 80), Visit(168, 10)]
    assert recist.responses(course)[1:] == ["SD", "PR", "PD", "PR"]
    assert recist.best(course) == "PR"  # what follows progression does not count
    assert recist.progression(course) == 126
    assert recist.best([Visit(0, 100), Visit(14, 100), Visit(28, 130)], least_stable=42) == "PD"
    assert recist.best([Visit(0, 100)]) == "NE"


# --- lesion tables ------------------------------------------------------------------------------------


def test_real_lesions_without_loss(shared_data):
    """Every row of studies 1 and 2, against the file read by a few lines of their own."""
    path = shared_data / "tumour_lesions_laleh" / "lesions_studies_1_2.csv"
    roles = {"Pt_hashID": "patient", "T_days": "day", "Lesion_diam": "diameter", "Lesion_vol": "volume"}
    charts, report = imaging.read(path, columns=roles)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    people = list(dict.fromkeys(row["Pt_hashID"] for row in rows))
    assert [chart.id for chart in charts] == [pseudonym(one) for one in people]
    assert len(charts) == 239
    expected = {}
    for row in rows:
        expected.setdefault(pseudonym(row["Pt_hashID"]), {})[float(row["T_days"])] = (
            float(row["Lesion_diam"]), float(row["Lesion_vol"]),
        )  # fmt: skip
    for chart in charts:
        diameters, volumes = dict(found(chart, "diameter")), dict(found(chart, "volume"))
        assert {time: (diameters[time], volumes[time]) for time in diameters} == expected[chart.id]
        assert dict(found(chart, "sum of diameters")) == diameters
    assert report.total(READ) + report.total(DUPLICATE) == len(rows) == 1393
    assert report.total(DUPLICATE) == 1
    assert report.total(DROPPED) == 0


TABLE = """patient,date,lesion,kind,node,diameter,short axis,status
Jane,2024-01-10,L1,target,no,50,,
Jane,2024-01-10,L2,target,yes,30,20,
Jane,2024-01-10,N1,non-target,no,,,present
Jane,2024-02-21,L1,target,no,too small to measure,,
Jane,2024-02-21,L2,target,yes,12,8,
Jane,2024-02-21,N1,non-target,no,,,present
Jane,2024-04-03,L1,target,no,,,
Jane,2024-04-03,L2,target,yes,12,8,
Jane,2024-05-15,L1,target,no,0,,
Jane,2024-05-15,L2,target,yes,12,9,
Jane,2024-05-15,N1,non-target,no,,,CR
Jane,2024-06-26,L1,target,no,0,,
Jane,2024-06-26,L2,target,yes,12,9,
Jane,2024-06-26,X1,new,no,12,,
"""


def test_a_table_worked_by_hand(tmp_path):
    """Nodes count by their short axis; 5 mm for 'too small'; no sum where a target is missing."""
    charts, report = imaging.read(written(tmp_path, TABLE))
    (chart,) = charts
    day = datetime.datetime
    assert found(chart, "sum of diameters") == [
        (day(2024, 1, 10), 70), (day(2024, 2, 21), 13), (day(2024, 5, 15), 9), (day(2024, 6, 26), 9),
    ]  # fmt: skip
    assert [value for _, value in found(chart, "response")] == ["PR", "NE", "CR", "PD"]
    assert found(chart, "best response") == [(None, "CR")]
    assert found(chart, "new lesions") == [(day(2024, 6, 26), 1)]
    assert [value for _, value in found(chart, "diameter of L1")] == [50, 5, 0, 0]
    assert found(chart, "non-target of N1")[-1] == (day(2024, 5, 15), "CR")
    assert {r.unit for r in chart.readings if r.codes[0].value == "sum of diameters"} == {"mm"}
    assert report.total(CONVERTED) == 1
    assert report.total(DROPPED) == 1
    assert any("without all its target lesions" in reason for _, kind, reason, _ in report.rows() if kind == FLAGGED)
    assert "Jane" not in str(report.rows()) + str(chart)


def test_other_units_and_spellings(tmp_path):
    text = "id;day;size;Volume;note\nJane;0;2,5;100;x\nJane;42;1,9;80;y\n"
    charts, report = imaging.read(written(tmp_path, text), columns={"size": "diameter"}, unit="cm", volume_unit="mL")
    assert found(charts[0], "sum of diameters") == [(0, 25), (42, 19)]
    assert [r.unit for r in charts[0].readings if r.codes[0].value == "sum of volumes"] == ["mL", "mL"]
    assert report.total(UNUSED) == 1


HEAD = "patient,day,lesion,diameter\n"
HOSTILE = [
    ("negative", HEAD + "Jane,0,a,-3\n", {}, r"lesions\.csv: line 2, 'diameter': no size is below zero"),
    ("text", HEAD + "Jane,0,a,big\n", {}, "line 2, 'diameter': not a number"),
    ("a metre", HEAD + "Jane,0,a,5000\n", {}, "line 2.*longer than a metre"),
    ("two sizes", HEAD + "Jane,0,a,3\nJane,0,a,4\n", {}, "line 3: the lesion stands twice"),
    ("no patient", HEAD + ",0,a,3\n", {}, "line 2: no patient"),
    ("two people, one named", HEAD + "Jane,0,a,3\nJoe,0,a,3\n", {"patient": "Jo"}, "2 people, and patient= names one"),
    ("nobody", "day,diameter\n0,3\n", {}, "no column of patients"),
    ("no lesion", HEAD + "Jane,0,,3\n", {}, "line 2: the lesion has no name"),
    ("no time", HEAD + "Jane,,a,3\n", {}, "line 2, 'day': not a number"),
    ("unknown kind", "patient,day,kind,diameter\nJane,0,big,3\n", {}, "line 2, 'kind': write target"),
    ("no column", "patient,day,size\nJane,0,3\n", {}, "no column 'diameter' or 'volume'"),
    ("no such column", HEAD + "Jane,0,a,3\n", {"columns": {"Day": "day"}}, "no column 'Day'; did you mean 'day'"),
    ("no such role", HEAD + "Jane,0,a,3\n", {"columns": {"day": "dya"}}, "did you mean 'day'"),
    ("unit", HEAD + "Jane,0,a,3\n", {"unit": "inch"}, "'inch' is not one"),
    ("an option of images", HEAD + "Jane,0,a,3\n", {"labels": {1: "x"}}, "'labels' is not one of a lesion table"),
    ("day or month", "patient,date,diameter\nJane,03/04/2024,3\n", {}, "line 2, 'date': day or month first"),
]


@pytest.mark.parametrize(("case", "text", "options", "said"), HOSTILE, ids=[h[0] for h in HOSTILE])
def test_hostile_tables(tmp_path, case, text, options, said):
    with pytest.raises(TwinError, match=said) as raised:
        imaging.read(written(tmp_path, text), **options)
    assert "Jane" not in str(raised.value)
    assert "\n" not in str(raised.value)


# --- NIfTI --------------------------------------------------------------------------------------------


def nifti(path, data, affine=None, unit="mm"):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(np.asarray(data), np.diag([1.0, 2.0, 2.5, 1.0]) if affine is None else affine)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, path)
    return path


def boxes():
    data = np.zeros((10, 10, 10), np.uint8)
    data[1:5, 1:5, 1:5] = 1  # 64 voxels
    data[6:8, 6:8, 6:9] = 2  # 12 voxels
    return data


def test_volumes_and_uptake(tmp_path):
    """64 and 12 voxels of 1 x 2 x 2.5 mm: 0.32 and 0.06 mL; uptake is the label's number in its place."""
    path = nifti(tmp_path / "seg.nii.gz", boxes())
    suv = nifti(tmp_path / "suv.nii.gz", boxes().astype(np.float32) * 2.5)
    charts, report = imaging.read(
        path, labels={1: "liver", 2: "tumour"}, image=suv, when="2024-05-06 08:30", patient="Jane"
    )
    time = datetime.datetime(2024, 5, 6, 8, 30)
    (chart,) = charts
    assert found(chart, "liver") == [(time, pytest.approx(0.32, rel=1e-6))]
    assert found(chart, "tumour") == [(time, pytest.approx(0.06, rel=1e-6))]
    assert found(chart, "tumour mean SUV") == [(time, pytest.approx(5.0, rel=1e-6))]
    assert {r.unit for r in chart.readings} == {"mL", "g/mL"}
    assert report.total(READ) == 2
    charts, report = imaging.read(path, patient="Jane")
    assert [r.codes[0].value for r in charts[0].readings] == ["1", "2"]
    assert report.total(FLAGGED) == 1  # no time


def test_an_oblique_grid(tmp_path):
    """A rotated grid has the voxels of an upright one."""
    turn, c = np.eye(4), math.cos(0.5)
    turn[:2, :2] = [[c, -math.sin(0.5)], [math.sin(0.5), c]]
    path = nifti(tmp_path / "seg.nii", boxes(), turn @ np.diag([1.0, 2.0, 2.5, 1.0]))
    charts, _ = imaging.read(path, patient="Jane", when=3.0)
    assert found(charts[0], "1") == [(3.0, pytest.approx(0.32, rel=1e-5))]


def test_nothing_found_is_said(tmp_path):
    path = nifti(tmp_path / "seg.nii", np.zeros((4, 4, 4), np.uint8))
    charts, _ = imaging.read(path, patient="J", labels={1: "tumour"}, empty="zero", when=0.0)
    assert found(charts[0], "tumour") == [(0.0, 0.0)]


def bad_grid(kind):
    affine = np.diag([1.0, 2.0, 2.5, 1.0])
    if kind == "shear":
        affine[0, 1] = 1.0
    return affine


def test_hostile_nifti(tmp_path):
    good = nifti(tmp_path / "good.nii.gz", boxes())
    cases = [
        (nifti(tmp_path / "empty.nii", np.zeros((4, 4, 4), np.uint8)), {}, "nothing is labelled"),
        (nifti(tmp_path / "map.nii", np.full((4, 4, 4), 0.5, np.float32)), {}, "not whole numbers"),
        (nifti(tmp_path / "four.nii", np.ones((4, 4, 4, 2), np.uint8)), {}, "4 dimensions"),
        (nifti(tmp_path / "shear.nii", boxes(), bad_grid("shear")), {}, "not at right angles"),
        (good, {"labels": {7: "spleen"}}, "label 7 is not in the file"),
        (good, {"labels": {1: "a", 2: "a"}}, "two labels one name"),
        (good, {"when": "soon"}, "no date-time"),
        (
            good,
            {"image": nifti(tmp_path / "other.nii", boxes(), np.eye(4))},
            "other.nii: not on the grid of good.nii.gz",
        ),
        (good, {"image": nifti(tmp_path / "small.nii", boxes()[:5])}, "small.nii: not on the grid"),
        (good, {"unit": "cm"}, "'unit' is not one of a NIfTI file"),
        (tmp_path / "none.nii", {}, "no such file"),
    ]
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(good.read_bytes()[:-10])
    text = tmp_path / "text.nii"
    text.write_text("nothing")
    bomb = tmp_path / "bomb.nii.gz"
    header = bytearray(gzip.decompress(good.read_bytes())[:352])
    header[40:56] = np.array([3, 30000, 30000, 30000, 1, 1, 1, 1], np.int16).tobytes()
    bomb.write_bytes(gzip.compress(bytes(header)))
    large = tmp_path / "large.nii.gz"  # 216 million voxels are allowed, and 1.7 GB of them are not
    header[40:56] = np.array([3, 600, 600, 600, 1, 1, 1, 1], np.int16).tobytes()
    header[70:74] = np.array([64, 64], np.int16).tobytes()
    large.write_bytes(gzip.compress(bytes(header)))
    noise = np.arange(27_000, dtype=np.int32).reshape(30, 30, 30)
    cases += [
        (large, {}, "unpacks to 1728000000 bytes"),
        (nifti(tmp_path / "n.nii", noise), {}, "more than 10000 labels"),
    ]
    cases += [(cut, {}, "cut off, damaged"), (text, {}, "text.nii: "), (bomb, {}, "27000000000000 voxels")]
    for path, options, said in cases:
        with pytest.raises(TwinError, match=said) as raised:
            imaging.read(path, patient="Jane", **options)
        assert "\n" not in str(raised.value)


# --- DICOM --------------------------------------------------------------------------------------------


def dataset(modality, **attributes):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID = generate_uid()
    one.Modality, one.PatientID, one.PatientName = modality, "Jane-1", "Doe^Jane"
    one.PatientBirthDate, one.PatientSex, one.StudyDate, one.StudyTime = "19500607", "F", "20240506", "083000"
    for name, value in attributes.items():
        setattr(one, name, value)
    assert pydicom
    return one


def item(**attributes):
    from pydicom.dataset import Dataset

    one = Dataset()
    for name, value in attributes.items():
        setattr(one, name, value)
    return one


def saved(folder, one, name="one.dcm"):
    path = folder / name
    one.save_as(path, enforce_file_format=True)
    return path


def segmentation(marked, heights, **measures):
    """A binary SEG of one segment: frames (frame, row, column), 0.5 mm pixels."""
    from pydicom.pixels import pack_bits

    frames = [
        item(
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)],
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, height])],
        )
        for height in heights
    ]
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.5], **measures)],
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
    )
    return dataset(
        "SEG", SegmentationType="BINARY", SegmentSequence=[item(SegmentNumber=1, SegmentLabel="Tumour")],
        SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=frames,
        NumberOfFrames=len(heights), Rows=marked.shape[1], Columns=marked.shape[2], SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2", BitsAllocated=1, BitsStored=1, HighBit=0, PixelRepresentation=0,
        PixelData=pack_bits(marked.astype(np.uint8).ravel(), pad=True),
    )  # fmt: skip


def test_a_dicom_segmentation(tmp_path):
    """Three planes of 20 pixels at 0.5 x 0.5 x 4 mm: 60 mm^3, 0.06 mL."""
    marked = np.zeros((3, 8, 8))
    marked[:, 1:5, 1:6] = 1
    path = saved(tmp_path, segmentation(marked, [0.0, 4.0, 8.0]))
    charts, report = imaging.read(path)
    (chart,) = charts
    time = datetime.datetime(2024, 5, 6, 8, 30)
    assert found(chart, "Tumour") == [(time, pytest.approx(0.06))]
    assert (chart.birth_date, chart.sex, chart.id) == (datetime.date(1950, 6, 7), "female", pseudonym("Jane-1"))
    assert report.total(READ) == 1
    assert "Jane" not in str(chart) + str(report.rows())
    sparse = segmentation(marked, [0.0, 8.0, 16.0], SpacingBetweenSlices=4.0)  # planes between are left out
    assert found(imaging.read(saved(tmp_path, sparse))[0][0], "Tumour")[0][1] == pytest.approx(0.06)
    single = segmentation(marked[:1], [0.0])
    with pytest.raises(TwinError, match=r"one\.dcm: one plane and no thickness"):
        imaging.read(saved(tmp_path, single))


FRACTIONS = [
    ("occupancy", {"SegmentationType": "FRACTIONAL", "SegmentationFractionalType": "OCCUPANCY"}, 0.5),
    ("probability", {"SegmentationType": "FRACTIONAL", "SegmentationFractionalType": "PROBABILITY"}, 1.0),
    ("labels", {"SegmentationType": "LABELMAP"}, 1.0),
]


@pytest.mark.parametrize(("case", "attributes", "share"), FRACTIONS, ids=[f[0] for f in FRACTIONS])
def test_segmentations_of_bytes(tmp_path, case, attributes, share):
    """Two planes of 16 pixels at 0.5 x 0.5 x 4 mm, half occupied, half probable, or of the segment's number."""
    one = segmentation(np.ones((2, 4, 4)), [0.0, 4.0])
    one.BitsAllocated = one.BitsStored = 8
    one.HighBit, one.MaximumFractionalValue = 7, 200
    one.PixelData = np.full(32, 1 if case == "labels" else 100, np.uint8).tobytes()
    for name, value in attributes.items():
        setattr(one, name, value)
    charts, _ = imaging.read(saved(tmp_path, one))
    assert found(charts[0], "Tumour")[0][1] == pytest.approx(share * 0.032)


def square(side, height, middle=(0.0, 0.0)):
    half = side / 2
    corners = [(-half, -half), (half, -half), (half, half), (-half, half)]
    return item(
        ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=4,
        ContourData=[v for x, y in corners for v in (x + middle[0], y + middle[1], height)],
    )  # fmt: skip


def test_a_structure_set(tmp_path):
    """Five planes 3 mm apart: 20 mm squares less 10 mm holes, 5 x 3 x 300 mm^3; and what has no volume."""
    solid = [square(20, 3 * i, (100, -50)) for i in range(5)]
    holes = [square(10, 3 * i, (100, -50)) for i in range(5)]
    one = dataset(
        "RTSTRUCT",
        StructureSetROISequence=[item(ROINumber=i, ROIName=name) for i, name in enumerate(("Ring", "Slice", "Dot"))],
        ROIContourSequence=[
            item(ReferencedROINumber=0, ContourSequence=[*solid, *holes]),
            item(ReferencedROINumber=1, ContourSequence=[square(20, 0)]),
            item(ReferencedROINumber=2, ContourSequence=[item(ContourGeometricType="POINT", ContourData=[0, 0, 0])]),
        ],
    )
    charts, report = imaging.read(saved(tmp_path, one))
    assert found(charts[0], "Ring")[0][1] == pytest.approx(4.5, rel=1e-9)
    assert len(charts[0].readings) == 1
    assert report.total(DROPPED) == 2


def test_a_circles_volume(tmp_path):
    """A cylinder on tilted planes: area of a 360-gon of 10 mm, within 1e-9 of its closed form."""
    angles = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    tilt = np.array([[1, 0, 0], [0, np.cos(0.3), -np.sin(0.3)], [0, np.sin(0.3), np.cos(0.3)]])
    drawn = []
    for height in (0.0, 2.0, 4.0):
        points = np.column_stack([10 * np.cos(angles), 10 * np.sin(angles), np.full(360, height)]) @ tilt.T
        drawn.append(points)
    area = 180 * 10**2 * math.sin(2 * math.pi / 360)
    assert contours.volume(drawn, "x") == pytest.approx(3 * 2 * area, rel=1e-9)


def code(value, meaning, scheme="DCM"):
    return [item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)]


def test_a_structured_report(tmp_path):
    def measured(meaning, value, unit):
        return item(
            ValueType="NUM", ConceptNameCodeSequence=code("G-D705", meaning, "SRT"),
            MeasuredValueSequence=[item(NumericValue=value, MeasurementUnitsCodeSequence=code(unit, unit, "UCUM"))],
        )  # fmt: skip

    tracked = item(ValueType="TEXT", ConceptNameCodeSequence=code("112039", "Tracking Identifier"), TextValue="L1")
    without = item(ValueType="NUM", ConceptNameCodeSequence=code("G-D705", "Volume", "SRT"))
    group = item(
        ValueType="CONTAINER", ConceptNameCodeSequence=code("125007", "Measurement Group"),
        ContentSequence=[tracked, measured("Volume", "12.5", "mL"), measured("Diameter", "31", "mm"), without],
    )  # fmt: skip
    groups = item(
        ValueType="CONTAINER", ConceptNameCodeSequence=code("126010", "Imaging Measurements"), ContentSequence=[group]
    )
    charts, report = imaging.read(saved(tmp_path, dataset("SR", ContentSequence=[groups])))
    (chart,) = charts
    assert [(r.codes[0].value, r.value, r.unit) for r in chart.readings] == [
        ("Volume of L1", 12.5, "mL"), ("Diameter of L1", 31, "mm"),
    ]  # fmt: skip
    assert chart.readings[0].codes[1].value == "Volume"
    assert report.total(DROPPED) == 1


def test_a_folder_of_dicom_files(tmp_path):
    marked = np.ones((2, 4, 4))
    saved(tmp_path, segmentation(marked, [0.0, 4.0]), "a.dcm")
    saved(tmp_path, dataset("CT"), "b.dcm")
    charts, report = imaging.read(tmp_path)
    assert len(charts) == 1
    assert report.total(READ) == 1
    assert report.total(UNUSED) == 1


def test_hostile_dicom(tmp_path):
    marked = np.ones((2, 4, 4))
    whole = saved(tmp_path, segmentation(marked, [0.0, 4.0]))
    (tmp_path / "cut.dcm").write_bytes(whole.read_bytes()[:-3])
    (tmp_path / "text.dcm").write_text("nothing")
    odd = segmentation(marked, [0.0, 4.0])
    del odd.SegmentSequence
    saved(tmp_path, odd, "odd.dcm")
    uneven = segmentation(np.ones((3, 4, 4)), [0.0, 4.0, 9.0])
    saved(tmp_path, uneven, "uneven.dcm")
    (tmp_path / "nothing").mkdir()
    cases = [("cut.dcm", "cut.dcm: "), ("text.dcm", "no DICOM file"), ("odd.dcm", "not built as DICOM"),
             ("uneven.dcm", "uneven distances"), ("none.dcm", "no such file"), ("nothing", "0 files")]  # fmt: skip
    for name, said in cases:
        with pytest.raises(TwinError, match=said) as raised:
            imaging.read(tmp_path / name)
        assert "Jane" not in str(raised.value)


def test_the_readers_own_functions_agree(tmp_path):
    path = written(tmp_path, TABLE)
    assert imaging.read(path)[0] == lesions.read(path)[0]
