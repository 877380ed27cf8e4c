"""Paired contrasts: what another regimen would have changed, for the same individuals with the same chances."""

from __future__ import annotations

import xarray as xr

from ..errors import TwinError, suggest
from .dataset import OUTCOMES, REGIMEN


def contrast(result: xr.DataTree, reference: str) -> xr.Dataset:
    """Every outcome under every other regimen minus under the reference, draw by draw.

    Each draw is one individual met by every regimen, so differences carry no sampling noise of their own.
    A time that is infinite under one of them gives an infinite difference; under both, not a number.

    Returns:
        outcome variables with dims (patient, regimen, draw), without the reference regimen.
    """
    outcomes = result[OUTCOMES].to_dataset()
    regimens = [str(name) for name in outcomes[REGIMEN].values]
    if reference not in regimens:
        raise TwinError(f"unknown reference regimen '{reference}'; {suggest(reference, regimens)}")
    others = [name for name in regimens if name != reference]
    with xr.set_options(keep_attrs=True):
        difference = outcomes.sel({REGIMEN: others}) - outcomes.sel({REGIMEN: reference}, drop=True)
    return difference.assign_attrs(reference=reference)
