"""NIfTI segmentations: the volume of each label, and its mean in an image of standardised uptake on the same grid.

    charts, report = nifti.read("liver_seg.nii.gz", labels={1: "liver", 2: "tumour"}, image="pet_suv.nii.gz")

The volume of a voxel is the determinant of the grid's axes, so that an oblique grid is read as it lies.
"""

from __future__ import annotations

import collections
import contextlib
import datetime
import os
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import TwinError
from ...files.reach import check_kind
from ..chart import Chart, Code, Reading, When
from ..privacy import pseudonym
from ..report import FLAGGED, READ, UNUSED, Report
from ..text.lines import label as label_of

MOST_VOXELS = 2**28  # a body at 0.6 mm
MOST_BYTES = 2**29  # of its voxels, unpacked: a file of a few kilobytes can hold any number of equal ones
MOST_LABELS = 10_000
_SLAB = 2**22  # voxels that are counted at once
_ML = 1000.0  # mm^3 in one mL
_SHEAR = 1e-3  # of an axis's length: what rounding leaves between axes that are at right angles
_DOUBTFUL = 30  # nibabel's grade of what it would mend in a header, and what we do not want mended unseen
_MM = {"mm": 1.0, "meter": 1000.0, "micron": 0.001, "unknown": 1.0}


def read(
    path: str | os.PathLike[str],
    *,
    patient: str | None = None,
    labels: Mapping[int, str] | None = None,
    image: str | os.PathLike[str] | None = None,
    when: str | float | None = None,
    empty: str = "refuse",
) -> tuple[list[Chart], Report]:
    """One chart: a volume in mL for each label, and its mean in an `image` of SUV (by body weight, g/mL) if given.

    `labels` names the numbers in the file; a label that is named and not there has volume 0 with empty='zero' only.
    `when` is the time of the scan, which the format does not hold: a date-time or a number.
    """
    if empty not in ("refuse", "zero"):
        raise TwinError(f"empty='{empty}' is neither 'refuse' nor 'zero'")
    name = label_of(path)
    for one in (path, image):
        if one is not None:
            check_kind(one, label_of(one))
    grid = _grid(path, name)
    counts, voxels = _count_voxels(grid, name)
    report, who = Report("imaging", name), pseudonym(patient or name)
    names = _names(counts, labels, empty, name)
    uptake = _uptake(grid, image, name) if image is not None else None
    time = _time(when)
    if time is None:
        report.note(who, FLAGGED, "no time of the scan; say when=")
    if grid.unit == "unknown":
        report.note(who, FLAGGED, "the file does not say its unit of length, taken as mm")
    found: list[Reading] = []
    for number, said in names.items():
        volume = counts.get(number, 0) * grid.voxel / _ML
        where = f"{name}: label {number}"
        found.append(Reading((Code("segmentation", said),), volume, time, "mL", where=where))
        report.note(who, READ, "label")
        if uptake is not None and number in counts:
            mean = _mean(uptake, voxels, number, where)
            found.append(Reading((Code("segmentation", f"{said} mean SUV"),), mean, time, "g/mL", where=where))
    for number in counts:
        if number not in names:
            report.note(who, UNUSED, "a label that labels= does not name")
    return [Chart(who, readings=tuple(found))], report


class _Grid:
    """A file's header: where its voxels lie, before they are read."""

    def __init__(self, image: Any, unit: str, voxel: float):
        self.image, self.unit, self.voxel = image, unit, voxel


def _grid(path: str | os.PathLike[str], name: str) -> _Grid:
    import numpy as np

    try:
        import nibabel.imageglobals
    except ImportError:
        raise TwinError("NIfTI files need nibabel; pip install 'patient-twin[ingest]'") from None
    with _explain_damage(name), nibabel.imageglobals.ErrorLevel(_DOUBTFUL), _silence(nibabel.imageglobals.logger):
        image: Any = nibabel.load(os.fspath(path))
        if not hasattr(image.header, "get_xyzt_units"):
            raise TwinError(f"{name}: not NIfTI; convert it first")
        unit = image.header.get_xyzt_units()[0]
    shape = tuple(int(n) for n in image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        raise TwinError(f"{name}: {len(shape)} dimensions where a segmentation has 3; give one volume")
    if not 0 < np.prod(shape, dtype=float) <= MOST_VOXELS:
        raise TwinError(
            f"{name}: {np.prod(shape, dtype=float):.0f} voxels, where 1 to {MOST_VOXELS} are read; resample it"
        )
    if (size := np.prod(shape, dtype=float) * image.header.get_data_dtype().itemsize) > MOST_BYTES:
        raise TwinError(f"{name}: unpacks to {size:.0f} bytes, where {MOST_BYTES} are read; save it in whole numbers")
    axes = np.asarray(image.affine, float)[:3, :3]
    _check_axes(axes, np.asarray(image.header.get_zooms()[:3], float), name)
    return _Grid(image, unit, abs(float(np.linalg.det(axes))) * _MM.get(unit, 1.0) ** 3)


def _check_axes(axes: Any, sizes: Any, name: str) -> None:
    """Axes at right angles that are as long as the voxels: a grid that disagrees with itself has no known volume."""
    import numpy as np

    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(axes).all() or (lengths == 0).any():
        raise TwinError(f"{name}: the grid has an axis without length; write the file's affine again")
    angles = (axes / lengths).T @ (axes / lengths)
    if np.abs(angles - np.eye(3)).max() > _SHEAR:
        raise TwinError(f"{name}: the grid's axes are not at right angles; resample it to a grid without shear")
    if np.abs(lengths / sizes - 1).max() > 0.01:
        raise TwinError(f"{name}: the grid's axes and the voxel sizes of the header differ; write the file again")


@contextlib.contextmanager
def _silence(logger: Any) -> Iterator[None]:
    """Nothing on stderr about what is an error anyway."""
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


@contextlib.contextmanager
def _explain_damage(name: str) -> Iterator[None]:
    """What goes wrong in a damaged file, as one sentence."""
    try:
        yield
    except TwinError:
        raise
    except FileNotFoundError:
        raise TwinError(f"{name}: cannot be read (no such file); check the path") from None
    except (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError, OverflowError) as problem:
        raise TwinError(f"{name}: the file is cut off, damaged or no NIfTI; copy it again") from problem
    except Exception as problem:  # nibabel's own, which share no class that is public
        raise TwinError(f"{name}: not an image that can be read; is it NIfTI?") from problem


def _count_voxels(grid: _Grid, name: str) -> tuple[dict[int, int], Any]:
    """Voxels of each label, and the voxels."""
    import numpy as np

    with _explain_damage(name):
        data = np.asarray(grid.image.dataobj)
    data = data.reshape(data.shape[:3])
    counts: collections.Counter[int] = collections.Counter()
    voxels = data.reshape(-1, order="A")  # as they lie in memory, so that nothing is copied
    for start in range(0, voxels.size, _SLAB):
        slab = voxels[start : start + _SLAB]
        if not np.isfinite(slab).all() or (slab != np.round(slab)).any():
            raise TwinError(f"{name}: voxels are not whole numbers; give a label map, not an image or probabilities")
        for value, count in zip(*np.unique(slab, return_counts=True), strict=True):
            counts[int(value)] += int(count)
            if len(counts) > MOST_LABELS:
                raise TwinError(f"{name}: more than {MOST_LABELS} labels; give a label map, not an image")
    del counts[0]
    return dict(sorted(counts.items())), data


def _names(counts: Mapping[int, int], labels: Mapping[int, str] | None, empty: str, name: str) -> dict[int, str]:
    """What is read: the labels that are named, or every one by its number."""
    if empty == "refuse" and not counts:
        raise TwinError(f"{name}: nothing is labelled; if that is the finding, say empty='zero' and labels=")
    if labels is None:
        return {number: str(number) for number in counts}
    if len(set(labels.values())) < len(labels):
        raise TwinError(f"{name}: labels= gives two labels one name; name each its own")
    missing = [number for number in labels if number not in counts]
    if missing and empty == "refuse":
        raise TwinError(f"{name}: label {missing[0]} is not in the file; if nothing was found, say empty='zero'")
    return dict(labels)


def _uptake(grid: _Grid, image: str | os.PathLike[str], name: str) -> Any:
    import numpy as np

    other_name = label_of(image)
    other = _grid(image, other_name)
    same = other.image.shape[:3] == grid.image.shape[:3] and other.unit == grid.unit
    if not same or not np.allclose(other.image.affine, grid.image.affine, atol=1e-3):
        raise TwinError(f"{other_name}: not on the grid of {name}; resample one to the other")
    with _explain_damage(other_name):
        return np.asarray(other.image.dataobj, float).reshape(grid.image.shape[:3])


def _mean(uptake: Any, voxels: Any, number: int, where: str) -> float:
    import numpy as np

    values = uptake[voxels == number]
    if not np.isfinite(values).all():
        raise TwinError(f"{where}: the image has voxels without a value there; give a whole image")
    return float(values.mean())


def _time(when: str | float | None) -> When:
    if when is None or isinstance(when, int | float):
        return when
    try:
        return datetime.datetime.fromisoformat(when)
    except ValueError as problem:
        raise TwinError("when= is no date-time; write it as 2024-05-06 08:30") from problem
