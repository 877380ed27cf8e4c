"""The published cases of population fits: of each, a model, a loader of its data, and what is known of the answer.

    case = CASES["warfarin10"]
    model, people = case.model(), case.load(shared_data)          # fixture `shared_data`: the folder with the data
    case.exact.typical["clearance"], case.exact.errors["variance of clearance"], case.exact.minus_two_ll

`numbers` has what other tools said of them, `exact` an independent likelihood of six, `models` and `loading` the parts.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

from tests.calibration.models import Theophylline, Warfarin, WarfarinBySex, theophylline, warfarin
from twin.model import DiseaseModel
from twin.model.extension import extend
from twin.patient import Patient

from . import loading, models, numbers
from .numbers import Fitted


@dataclasses.dataclass(frozen=True)
class Case:
    """A published fit. `known` is the best that is known of the answer: `exact` where it is the maximum itself."""

    name: str
    model: Callable[[], DiseaseModel]
    load: Callable[[Path], list[Patient]]
    known: Fitted | None
    is_exact: bool = True
    others: tuple[Fitted, ...] = ()

    @property
    def exact(self) -> Fitted:
        """The exact maximum; an error where none is known."""
        if self.known is None or not self.is_exact:
            raise ValueError(f"the exact maximum of {self.name} is not known")
        return self.known


_ALL = (
    Case("warfarin10", models.Warfarin10, loading.warfarin10, numbers.WARFARIN10, True, numbers.WARFARIN10_OTHERS),
    Case(
        "warfarin_m3", models.Warfarin10, loading.warfarin_m3, numbers.WARFARIN_M3, True, (numbers.WARFARIN_M3_LAPLACE,)
    ),
    Case(
        "warfarin_iov", lambda: extend(models.WarfarinTwice(), occasions={"clearance": {"variance": 0.03}}, count=2),
        loading.warfarin_iov, numbers.WARFARIN_IOV, True, (numbers.WARFARIN_IOV_FOCEI,),
    ),
    Case(  # the same with occasions by hand
        "warfarin_by_occasion", models.WarfarinByOccasion, loading.warfarin_by_occasion, numbers.WARFARIN_IOV, True,
        (numbers.WARFARIN_IOV_FOCEI,),
    ),
    Case("propofol", models.Propofol, loading.propofol, numbers.PROPOFOL, True, (numbers.PROPOFOL_FOCEI,)),
    # Occasions and sites are to be added: loading.sites(data, occasions=True), loading.sites_of(data).
    Case(
        "sites", models.Sites, loading.sites, numbers.SITES, False, (numbers.SITES_FOCEI, numbers.SITES_BAYES)
    ),
    Case("rats", models.Rats, loading.rats, numbers.RATS),
    Case("independent_rats", models.IndependentRats, loading.rats, numbers.INDEPENDENT_RATS),
    Case("orange", models.Orange, loading.orange, numbers.ORANGE, True, (numbers.ORANGE_NLMER,)),
    Case(
        "exponential", models.Exponential, loading.exponential, numbers.EXPONENTIAL, True,
        (numbers.EXPONENTIAL_LAPLACE, numbers.EXPONENTIAL_ALONE),
    ),
    Case("weibull", models.Weibull, loading.weibull, numbers.WEIBULL, True, (numbers.WEIBULL_LAPLACE,)),
    Case("eight_schools", models.EightSchools, loading.eight_schools, None, False),
    Case("cells", models.Cells, loading.cells, numbers.CELLS, False, (numbers.CELLS_TRUE, numbers.CELLS_MONOLIX)),
    Case("cells_of_time", models.CellsOfTime, loading.cells_of_time, numbers.CELLS, False, (numbers.CELLS_TRUE,)),
    Case("theophylline", Theophylline, theophylline, numbers.THEOPHYLLINE, False),
    Case("oreilly", Warfarin, warfarin, numbers.OREILLY, False, (numbers.OREILLY_BY_WEIGHT,)),
    Case(
        "oreilly_by_sex", WarfarinBySex, functools.partial(warfarin, sexes=True), numbers.OREILLY_BY_SEX, False
    ),
)  # fmt: skip
CASES = {case.name: case for case in _ALL}
