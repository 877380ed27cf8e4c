"""Imaging: lesion tables (RECIST 1.1), NIfTI segmentations, DICOM measurements -> sums of diameters, volumes, uptake.

charts, report = imaging.read("lesions.csv", columns={"Pt_hashID": "patient", "T_days": "day"})
charts, report = imaging.read("seg.nii.gz", labels={1: "tumour"}, image="suv.nii.gz", when="2024-05-06")
charts, report = imaging.read("rtstruct.dcm")
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import TwinError
from ...files.reach import check_kind
from ..chart import Chart
from ..report import Report
from ..text.lines import label

__all__ = ["read"]

_OF_TABLES = ("columns", "unit", "volume_unit", "dates", "decimal")
_OF_NIFTI = ("labels", "image", "when", "empty")


def read(
    path: str | os.PathLike[str],
    *,
    patient: str | None = None,
    columns: Mapping[str, str] | None = None,
    unit: str | None = None,
    volume_unit: str | None = None,
    dates: str | None = None,
    decimal: str | None = None,
    labels: Mapping[int, str] | None = None,
    image: str | os.PathLike[str] | None = None,
    when: str | float | None = None,
    empty: str | None = None,
    time_unit: str = "day",
) -> tuple[list[Chart], Report]:
    """Whatever kind of file it is: NIfTI by its name, DICOM by its mark or a folder, else a lesion table.

    Options as `lesions.read` (columns, unit, volume_unit, dates, decimal) and `nifti.read` (labels, image, when,
    empty) have them. `time_unit` is that of times that are bare numbers.
    """
    said = {
        "columns": columns, "unit": unit, "volume_unit": volume_unit, "dates": dates, "decimal": decimal,
        "labels": labels, "image": image, "when": when, "empty": empty,
    }  # fmt: skip
    options: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    kind, known = _kind(path)
    for name in options:
        if name not in known:
            raise TwinError(f"{Path(path).name}: option '{name}' is not one of a {kind}; leave it out")
    if kind == "NIfTI file":
        from . import nifti

        return nifti.read(path, patient=patient, **options)
    if kind == "DICOM file":
        from . import dicom

        return dicom.read(path, patient=patient)
    from . import lesions

    return lesions.read(path, patient=patient, **options)


def _kind(path: str | os.PathLike[str]) -> tuple[str, tuple[str, ...]]:
    where = Path(path)
    check_kind(where, label(where))
    if where.name.lower().endswith((".nii", ".nii.gz")):
        return "NIfTI file", _OF_NIFTI
    if where.is_dir() or where.suffix.lower() == ".dcm" or _has_dicom_mark(where):
        return "DICOM file", ()
    return "lesion table", _OF_TABLES


def _has_dicom_mark(where: Path) -> bool:
    """Whether DICOM's mark stands behind the preamble."""
    try:
        with open(where, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False
