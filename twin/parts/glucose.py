"""What models of blood glucose share: codes of records, the outcomes of a glucose trace, and its risks."""

from __future__ import annotations

from types import MappingProxyType

import jax.numpy as jnp

from ..model import Average, Duration, Highest, HighestTime, Lowest, TimeShare
from ..types import Scalar

RAPID_INSULIN = {"pump": ("bolus",), "atc": ("A10AB04", "A10AB05", "A10AB06")}  # lispro, aspart, glulisine
CARBOHYDRATE = {"meal": ("carbohydrate",)}
GLUCOSE_MASS = 180.156  # g/mol (LOINC, group LG7967-5)
PLASMA_GLUCOSE = ("2345-7", "2339-0", "14749-6", "15074-8")  # per mass in plasma and blood, per mole in the same
MONITOR = "99504-3"

TRACE = MappingProxyType(
    {
        "time_in_range_70_180": TimeShare(of="interstitial_glucose", low=70.0, high=180.0, meaning="time 70 to 180"),
        "time_below_70": TimeShare(of="interstitial_glucose", high=70.0, meaning="share of time below 70"),
        "time_below_54": TimeShare(of="interstitial_glucose", high=54.0, meaning="share of time below 54"),
        "time_above_180": TimeShare(of="interstitial_glucose", low=180.0, meaning="share of time above 180"),
        "time_above_250": TimeShare(of="interstitial_glucose", low=250.0, meaning="share of time above 250"),
        "minutes_below_70": Duration(of="interstitial_glucose", high=70.0, meaning="time below 70"),
        "mean_glucose": Average(of="interstitial_glucose", meaning="mean interstitial glucose"),
        "peak_glucose": Highest(of="interstitial_glucose", meaning="highest interstitial glucose"),
        "peak_time": HighestTime(of="interstitial_glucose", meaning="when it is reached"),
        "lowest_glucose": Lowest(of="interstitial_glucose", meaning="lowest interstitial glucose"),
    }
)


def management_indicator(glucose: Scalar) -> Scalar:
    """GMI in %, where `glucose` is the mean in mg/dL (Bergenstal 2018); linear, so it may be averaged instead."""
    return 3.31 + 0.02392 * glucose


def risk(glucose: Scalar, side: float) -> Scalar:
    """Of low (`side` -1) or high (1) glucose in mg/dL, 0 to about 100 (Kovatchev 1997); LBGI and HBGI are its means.

    Glucose is held between 20 and 600, for which the scale was made; it is 0 at 112.5.
    """
    held = jnp.clip(glucose, 20.0, 600.0)
    scale = 1.509 * (jnp.log(held) ** 1.084 - 5.381)
    return 10 * jnp.maximum(side * scale, 0.0) ** 2
