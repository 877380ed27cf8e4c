"""A fit's diagnosis as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

_MOST = 5  # patients by name


def to_text(diagnosis: Any) -> str:
    """What residuals, shrinkage, predictive checks and influence show."""
    lines = [*_residuals(diagnosis), "", *_shrinkage(diagnosis), "", *_checks(diagnosis), "", *_influence(diagnosis)]
    return "\n".join([*lines, *(f"caution: {one}" for one in diagnosis.surprises)])


def _residuals(diagnosis: Any) -> Iterator[str]:
    from scipy import stats

    table = diagnosis.residuals
    yield "residuals (each: mean 0 and SD 1 if the model fits; p: whether npde are standard normal)"
    yield f"{'observable':26}{'count':>6}{'npde mean':>11}{'SD':>7}{'p':>9}{'cwres mean':>12}{'SD':>7}{'iwres SD':>10}"
    for name in dict.fromkeys(table["observable"].values):
        own = {w: table[w].values[table["observable"].values == name] for w in ("npde", "cwres", "iwres")}
        read = {w: v[np.isfinite(v)] for w, v in own.items()}
        p = stats.kstest(read["npde"], "norm").pvalue if read["npde"].size else np.nan
        mean = {w: v.mean() if v.size else np.nan for w, v in read.items()}
        sd = {w: v.std(ddof=1) if v.size > 1 else np.nan for w, v in read.items()}
        yield (
            f"{name:26}{len(own['npde']):6}{_number(mean['npde'], 11)}{_number(sd['npde'], 7)}{p:9.3g}"
            f"{_number(mean['cwres'], 12)}{_number(sd['cwres'], 7)}{_number(sd['iwres'], 10)}"
        )


def _number(value: float, width: int) -> str:
    return f"{value:{width}.2f}" if np.isfinite(value) else f"{'-':>{width}}"


def _shrinkage(diagnosis: Any) -> Iterator[str]:
    told = [f"{name} {100 * value:.0f} %" for name, value in diagnosis.shrinkage.items()]
    yield "shrinkage of deviations: " + ", ".join(told)
    if errors := [f"{name} {100 * value:.0f} %" for name, value in diagnosis.error_shrinkage.items()]:
        yield "shrinkage of errors: " + ", ".join(errors)


def _checks(diagnosis: Any) -> Iterator[str]:
    """How often the data's percentiles lie where 95 % of replicates' do."""
    if not diagnosis.predictions.numbers:
        yield "no predictive check: no numbers were measured"
        return
    check = diagnosis.vpc(corrected=True)
    yield "predictive check, corrected for predictions: the data's percentiles within 95 % of replicated data sets"
    for name in dict.fromkeys(check["observable"].values):
        mine, said = check["observable"].values == name, []
        for word in ("5", "50", "95", "below", "above"):
            seen, low, high = (check[f"{kind}_{word}"].values[mine] for kind in ("seen", "low", "high"))
            some = np.isfinite(seen) & np.isfinite(low) & np.isfinite(high)
            if word in ("below", "above") and not np.any((seen > 0) | (high > 0)):
                continue
            inside = (seen >= low) & (seen <= high)
            words = f"{word} %" if word.isdigit() else f"share {word} limits"
            said.append(f"{words} in {int(inside[some].sum())} of {int(some.sum())} bins")
        yield f"{name}: " + ", ".join(said)


def _influence(diagnosis: Any) -> Iterator[str]:
    found = diagnosis.influence
    order = np.argsort(-found["cook"].values)[:_MOST]
    yield "who moves the fit most (Cook's distance; the estimate that moves most without them, in standard errors)"
    for i in order:
        one = found.isel(patient=int(i))
        j = int(np.argmax(np.abs(one["moved"].values)))
        about = "" if bool(one["covered"]) else ", about"
        yield (
            f"  {one['patient'].item()}: {float(one['cook']):.2f}; {one['number'].values[j]} "
            f"{float(one['moved'][j]):+.2f}{about}"
        )
    total, count = found["elpd"].values, found.sizes["patient"]
    error = np.sqrt(count * total.var(ddof=1))
    yield f"log density of patients left out: {total.sum():.2f} (standard error {error:.2f})"
