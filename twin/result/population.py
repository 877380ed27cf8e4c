"""Fitted populations, stored: the model with a fit's numbers and with draws of these, as far as they are uncertain.

twin.load_population("results/fit")                       # the folder that `twin fit` leaves
twin.load_population("results/fit/population.json")       # the same from a file that has nothing of any patient
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import xarray as xr

from ..errors import TwinError
from ..library import restore_model
from ..model import DiseaseModel
from ..model.extension import describe_model

FILE, TEXT = "fit.zarr", "population.json"


def place_of(path: str | os.PathLike[str]) -> Path:
    """The store or file that holds a population; a folder's is `fit.zarr`."""
    found = Path(path)
    return found if found.suffix in (".zarr", ".json") else found / FILE


def load_population(path: str | os.PathLike[str]) -> DiseaseModel:
    """The fitted model: the folder of a fit, its `fit.zarr`, or its `population.json`."""
    place = place_of(path)
    if not place.exists():
        raise TwinError(f"{place}: there is no stored fit; run 'twin fit', or name the folder of one")
    try:
        if place.suffix == ".json":
            return restore_model(json.loads(place.read_text(encoding="utf-8")))
        return restore_model(xr.open_datatree(place, engine="zarr", chunks=None).attrs)
    except (KeyError, ValueError, TypeError) as problem:
        raise TwinError(f"{place}: is no stored fit; run 'twin fit' again") from problem


def save_population(model: DiseaseModel, path: str | os.PathLike[str]) -> Path:
    """The model as text, with nothing of the patients: what may leave a hospital."""
    place = Path(path)
    place.write_text(json.dumps(describe_model(model), indent=1) + "\n", encoding="utf-8")
    return place
