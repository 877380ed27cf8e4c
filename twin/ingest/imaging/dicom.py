"""DICOM objects that hold measurements: segmentations (SEG), structure sets (RTSTRUCT), structured reports (TID 1500).

    charts, report = dicom.read("seg.dcm")          # or a folder of such files, of one person or several

What a file says of the person stays here: a pseudonym of the patient's ID, sex and date of birth leave.
"""

from __future__ import annotations

import datetime
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import TwinError
from ..chart import Chart, Code, Reading
from ..privacy import pseudonym
from ..report import DROPPED, FLAGGED, READ, UNUSED, Report
from .contours import spacing, volume

_ML = 1000.0  # mm^3 in one mL
_SEXES = {"F": "female", "M": "male", "O": "other"}
MOST_FILES = 10_000


def read(path: str | os.PathLike[str], *, patient: str | None = None) -> tuple[list[Chart], Report]:
    """One chart a person. `patient` identifies the person where the files do not."""
    where = Path(path)
    report = Report("imaging", where.name)
    people: dict[str, Chart] = {}
    for file in _files(where):
        chart = _chart(file, patient, report)
        one = people.get(chart.id, chart)
        more = () if one is chart else chart.readings
        people[chart.id] = Chart(chart.id, one.birth_date, one.sex, (*one.readings, *more))
    return list(people.values()), report


def _chart(file: Path, patient: str | None, report: Report) -> Chart:
    """What one file says. Attributes are taken apart when they are asked for, and that may fail anywhere."""
    dataset = _dataset(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom quotes values that break its rules
            who = pseudonym(str(patient or _text(dataset, "PatientID") or file.name))
            readings = _readings(dataset, file.name, report, who)
            return Chart(who, _date(dataset, "PatientBirthDate"), _SEXES.get(_text(dataset, "PatientSex")), readings)
    except TwinError:
        raise
    except Exception as problem:  # a missing or malformed attribute, of whatever kind
        why = type(problem).__name__
        raise TwinError(f"{file.name}: not built as DICOM has such objects ({why}); export it again") from problem


def _files(where: Path) -> list[Path]:
    if not where.is_dir():
        return [where]
    found = sorted(file for file in where.rglob("*") if file.is_file())
    if not found or len(found) > MOST_FILES:
        raise TwinError(f"{where.name}: {len(found)} files where 1 to {MOST_FILES} are read; name another folder")
    return found


def _dataset(file: Path) -> Any:
    try:
        import pydicom
    except ImportError:
        raise TwinError("DICOM files need pydicom; pip install 'patient-twin[ingest]'") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom quotes values that break its rules
            return pydicom.dcmread(file)
    except FileNotFoundError:
        raise TwinError(f"{file.name}: cannot be read (no such file); check the path") from None
    except Exception as problem:  # pydicom raises of every kind on damaged files
        raise TwinError(f"{file.name}: cut off, damaged or no DICOM file; copy it again") from problem


def _readings(dataset: Any, name: str, report: Report, who: str) -> tuple[Reading, ...]:
    """What an object of a known kind measures; another kind is counted as unused."""
    kinds = {"SEG": _segments, "RTSTRUCT": _structures, "SR": _measurements}
    reader = kinds.get(_text(dataset, "Modality"))
    if reader is None:
        report.note(who, UNUSED, "a DICOM object that holds no measurements")
        return ()
    time = _moment(dataset)
    if time is None:
        report.note(who, FLAGGED, "a DICOM object without a date")
    found = []
    for code, value, unit in reader(dataset, name, report, who):
        found.append(Reading(code, value, time, unit, where=name))
        report.note(who, READ, f"{_text(dataset, 'Modality')} measurement")
    return tuple(found)


# --- segmentations ------------------------------------------------------------------------------------

Found = Iterator[tuple[tuple[Code, ...], float | str, str]]


def _segments(dataset: Any, name: str, report: Report, who: str) -> Found:
    """Marked voxels of each segment times the volume of one."""
    import numpy as np

    voxel = _voxel(dataset, name)
    frames = np.asarray(dataset.pixel_array, float).reshape(int(dataset.NumberOfFrames), -1)
    kind = _text(dataset, "SegmentationType")
    if kind == "FRACTIONAL":
        frames = frames / float(dataset.MaximumFractionalValue)
        if _text(dataset, "SegmentationFractionalType") == "PROBABILITY":
            frames = (frames >= 0.5).astype(float)
            report.note(who, FLAGGED, "probabilities of one half and more count as the segment")
    of_frame = [
        int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber) if kind != "LABELMAP" else None
        for frame in dataset.PerFrameFunctionalGroupsSequence
    ]
    for segment in dataset.SegmentSequence:
        number, said = int(segment.SegmentNumber), str(segment.SegmentLabel)
        if kind == "LABELMAP":
            count = float((frames == number).sum())
        else:
            count = float(sum(frames[i].sum() for i, of in enumerate(of_frame) if of == number))
        if not count:
            report.note(who, FLAGGED, "a segment without voxels, of volume 0")
        yield (Code("segmentation", said),), count * voxel / _ML, "mL"


def _voxel(dataset: Any, name: str) -> float:
    """mm^3: the pixels' size times the distance of planes, as they lie."""
    import numpy as np

    shared = dataset.SharedFunctionalGroupsSequence[0]
    frames = list(dataset.PerFrameFunctionalGroupsSequence)
    pixels = _group(shared, frames[0], "PixelMeasuresSequence")
    rows, columns = (float(v) for v in pixels.PixelSpacing)
    axes = np.asarray(_group(shared, frames[0], "PlaneOrientationSequence").ImageOrientationPatient, float)
    normal = np.cross(axes[:3], axes[3:])
    between = getattr(pixels, "SpacingBetweenSlices", None)  # said first: frames without voxels may be left out
    heights = {float(np.asarray(f.PlanePositionSequence[0].ImagePositionPatient, float) @ normal) for f in frames}
    if not between and len(heights) > 1:
        between = spacing(sorted(heights), name)
    between = between or getattr(pixels, "SliceThickness", None)
    if not between:
        raise TwinError(f"{name}: one plane and no thickness, so that no volume can be given; export all planes")
    return rows * columns * float(between)


def _group(shared: Any, frame: Any, name: str) -> Any:
    """A group of attributes that all frames share, or each has."""
    return (getattr(shared, name, None) or getattr(frame, name))[0]


# --- structure sets -----------------------------------------------------------------------------------


def _structures(dataset: Any, name: str, report: Report, who: str) -> Found:
    """The volume within each region's closed contours."""
    import numpy as np

    names = {int(r.ROINumber): str(r.ROIName) for r in dataset.StructureSetROISequence}
    for region in dataset.ROIContourSequence:
        said = names.get(int(region.ReferencedROINumber), "")
        drawn = list(getattr(region, "ContourSequence", None) or [])
        closed = [c for c in drawn if _text(c, "ContourGeometricType") == "CLOSED_PLANAR"]
        if not said or not closed:
            report.note(who, DROPPED, "a region without a name or without closed contours")
            continue
        points = [np.asarray(c.ContourData, float).reshape(-1, 3) for c in closed]
        try:
            within = volume(points, name)
        except TwinError as problem:  # markers and single slices are in many structure sets
            report.note(who, DROPPED, f"a region: {str(problem).removeprefix(name + ': ')}")
            continue
        yield (Code("segmentation", said),), within / _ML, "mL"


# --- structured reports -------------------------------------------------------------------------------

_GROUP, _TRACKING = "125007", "112039"  # DCM: Measurement Group, Tracking Identifier


def _measurements(dataset: Any, name: str, report: Report, who: str) -> Found:
    """Numbers in measurement groups (TID 1411, 1501), with the lesion that they track."""
    for group in _groups(dataset):
        tracked = next((_text(i, "TextValue") for i in group.ContentSequence if _is(i, _TRACKING)), "")
        for item in group.ContentSequence:
            if _text(item, "ValueType") == "NUM":
                yield from _number(item, tracked, report, who)


def _groups(item: Any) -> Iterator[Any]:
    """Measurement groups, wherever they stand; depth is that of the file, which pydicom has read already."""
    for child in getattr(item, "ContentSequence", None) or []:
        if _is(child, _GROUP):
            yield child
        else:
            yield from _groups(child)


def _number(item: Any, tracked: str, report: Report, who: str) -> Found:
    concept = item.ConceptNameCodeSequence[0]
    if not getattr(item, "MeasuredValueSequence", None):
        report.note(who, DROPPED, "a measurement without a value")
        return
    measured = item.MeasuredValueSequence[0]
    unit = str(measured.MeasurementUnitsCodeSequence[0].CodeValue)
    meaning = str(concept.CodeMeaning)
    codes = (
        *((Code("dicom", f"{meaning} of {tracked}"),) if tracked else ()),
        Code("dicom", meaning),
        Code("dicom", str(concept.CodeValue), meaning),
    )
    yield codes, float(measured.NumericValue), unit


def _is(item: Any, code: str) -> bool:
    named = getattr(item, "ConceptNameCodeSequence", None)
    return bool(named) and str(named[0].CodeValue) == code


# --- attributes ---------------------------------------------------------------------------------------


def _text(dataset: Any, name: str) -> str:
    return str(getattr(dataset, name, "") or "")


def _date(dataset: Any, name: str) -> datetime.date | None:
    try:
        return datetime.datetime.strptime(_text(dataset, name), "%Y%m%d").date()
    except ValueError:
        return None


def _moment(dataset: Any) -> datetime.datetime | None:
    """When the object's images were made: its study's date and time, with the zone that the file says."""
    day = _date(dataset, "StudyDate") or _date(dataset, "ContentDate")
    if day is None:
        return None
    clock = _text(dataset, "StudyTime" if _date(dataset, "StudyDate") else "ContentTime").split(".")[0].ljust(6, "0")
    try:
        time = datetime.datetime.strptime(clock, "%H%M%S").time()
    except ValueError:
        time = datetime.time()
    offset = _text(dataset, "TimezoneOffsetFromUTC").strip()
    moment = datetime.datetime.combine(day, time)
    return datetime.datetime.strptime(f"{moment.isoformat()}{offset}", "%Y-%m-%dT%H:%M:%S%z") if offset else moment
