"""The diagnosis of a fit: everything that is asked of it, computed when it is."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr

from ..climb import Top
from ..cloud import Sky
from ..people import People
from ..report import names_of, slopes
from .leaving_out import Influence, leave_out
from .predictions import Predictions
from .residuals import residuals, shrinkage
from .surprise import Surprise, surprising_patients
from .vpc import vpc


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """Where a fit ended, looked at closely; `count` replicated data sets."""

    sky: Sky
    top: Top
    seed: int = 0
    count: int = 1000

    @functools.cached_property
    def predictions(self) -> Predictions:
        return Predictions(self.sky, self.top, self.seed, self.count)

    @functools.cached_property
    def residuals(self) -> xr.Dataset:
        """One row a measurement: predictions, intervals, IWRES, CWRES, NPDE."""
        return residuals(self.predictions)

    @property
    def shrinkage(self) -> dict[str, float]:
        """Of deviations, by parameter."""
        return People(self.sky, self.top).shrinkage

    @property
    def error_shrinkage(self) -> dict[str, float]:
        """Of errors, by observable."""
        return shrinkage(self.residuals)

    def vpc(
        self, *, bins: int | Sequence[float] = 8, corrected: bool = False, by: str | None = None,
        after_dose: bool = False,
    ) -> xr.Dataset:  # fmt: skip
        """The visual predictive check: one row a bin."""
        return vpc(self.predictions, bins=bins, corrected=corrected, by=by, after_dose=after_dose)

    @functools.cached_property
    def surprises(self) -> tuple[Surprise, ...]:
        """Patients who do not go with the others."""
        return surprising_patients(self.sky, self.top)

    def leave_out(self, which: Iterable[int] | None = None) -> Influence:
        """The fit without each patient."""
        return leave_out(self.sky, self.top, which)

    @functools.cached_property
    def influence(self) -> xr.Dataset:
        """What leaving each patient out changes: every estimate, in its standard errors (patient, number); the whole
        fit (`displacement`, as a chi-square; `cook` by number of estimates); the density of the patient's data.
        """
        found, names = self.leave_out(), names_of(self.sky.statement)
        along = slopes(self.sky.statement, self.top.x)
        errors = np.sqrt(np.einsum("ni,ij,nj->n", along, np.linalg.pinv(-self.top.maximum.curvature), along))
        moved = (found.x - self.top.x) @ along.T / errors
        return xr.Dataset(
            {
                "moved": (("patient", "number"), moved), "displacement": ("patient", found.displacement),
                "cook": ("patient", found.displacement / len(names)), "log_likelihood": ("patient", found.own),
                "elpd": ("patient", found.elpd), "exact": ("patient", found.exact),
                "covered": ("patient", found.covered),
            },
            {"patient": list(found.patients), "number": names},
        )  # fmt: skip
