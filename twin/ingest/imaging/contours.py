"""Volumes from what DICOM draws: contours on parallel planes, and frames of marked voxels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from ...errors import TwinError

_SAME_PLANE = 0.01  # mm


def spacing(positions: Sequence[float], where: str) -> float:
    """The distance of neighbouring planes; the smallest, since some may be left out."""
    places = sorted(positions)
    steps = [b - a for a, b in itertools.pairwise(places) if b - a > _SAME_PLANE]
    if not steps:
        raise TwinError(f"{where}: all on one plane, so that its thickness is not known; no volume can be given")
    least = min(steps)
    if any(abs(step / least - round(step / least)) > 0.05 for step in steps):
        raise TwinError(f"{where}: planes at uneven distances; resample it to even slices")
    return least


def volume(contours: Sequence[Any], where: str) -> float:
    """mm^3 within closed contours, each an array (point, 3); one within another is a hole."""
    import numpy as np

    normal = _normal(max(contours, key=_area), where)
    planes: dict[int, list[Any]] = {}
    for points in contours:
        heights = points @ normal
        if np.ptp(heights) > 0.1:
            raise TwinError(f"{where}: a contour is not flat or not parallel to the others; draw it again")
        planes.setdefault(round(float(heights.mean()) / _SAME_PLANE), []).append(points)
    distance = spacing([place * _SAME_PLANE for place in planes], where)
    return distance * sum(_area_within(drawn, normal) for drawn in planes.values())


def _vector(points: Any) -> Any:
    """The area as a vector at right angles to it."""
    import numpy as np

    centred = points - points.mean(axis=0)  # far from the origin, products lose digits
    return np.cross(centred, np.roll(centred, -1, axis=0)).sum(axis=0) / 2


def _area(points: Any) -> float:
    import numpy as np

    return float(np.linalg.norm(_vector(points)))


def _normal(points: Any, where: str) -> Any:
    area = _area(points)
    if area <= 0:
        raise TwinError(f"{where}: its contours have no area; draw it again")
    return _vector(points) / area


def _area_within(drawn: Sequence[Any], normal: Any) -> float:
    """Areas on one plane: a contour within an odd number of others is a hole."""
    import numpy as np

    kept = [axis for axis in range(3) if axis != int(np.argmax(np.abs(normal)))]
    flat = [points[:, kept] for points in drawn]
    total = 0.0
    for i, points in enumerate(flat):
        depth = sum(_inside(points[0], other) for j, other in enumerate(flat) if j != i)
        total += (-1) ** depth * _area(drawn[i])
    return total


def _inside(point: Any, polygon: Any) -> bool:
    """Whether a point lies within a polygon: crossings of a ray, counted."""
    import numpy as np

    x, y = point
    ahead = np.roll(polygon, -1, axis=0)
    crosses = (polygon[:, 1] > y) != (ahead[:, 1] > y)
    edge = polygon[crosses], ahead[crosses]
    at = edge[0][:, 0] + (y - edge[0][:, 1]) / (edge[1][:, 1] - edge[0][:, 1]) * (edge[1][:, 0] - edge[0][:, 0])
    return bool((x < at).sum() % 2)
