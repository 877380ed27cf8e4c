"""Non-compartmental analysis: what readings after a dose say without a model, of many courses at once, from arrays.

found = analyse(Profiles.of(times, values, dose=320.0, route=Route.OTHER))
found.values["auc_inf"], found.reasons["auc_inf"]
"""

from .figures import FIGURES, Figure, Findings, analyse, partial_areas
from .interval import LAST, Choice, Doses, Record, cut
from .profiles import Profiles, Route
from .rules import Rules

__all__ = [
    "FIGURES", "LAST", "Choice", "Doses", "Figure", "Findings", "Profiles", "Record", "Route", "Rules", "analyse",
    "cut", "partial_areas",
]  # fmt: skip
