"""Docetaxel: covariates by hand, log states against the published equations, a heavy dose against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import twin
from tests.disease.typical import typical
from twin.disease.docetaxel_neutropenia import DocetaxelNeutropenia
from twin.model import pack, unpack

MODEL = DocetaxelNeutropenia()
CLOSE = 1e-4  # single precision where x64 is off, after differences of logs

COVARIATES = [  # patient, baseline (10^9/L), slope (L/umol)
    ({}, 5.21965, 15.5711),
    ({"sex": "female"}, 5.21965 * (1 - 0.121451), 15.5711),
    ({"ecog": 1}, 5.21965 * 1.130406, 15.5711),
    ({"ecog": 2, "prior_chemotherapy": "treated"}, 5.21965 * 1.130406 * (1 - 0.146837), 15.5711),
    ({"aag": 0.84}, 5.21965 * (1 - 0.5 * 0.174677), 15.5711 * (1 + 0.5 * 0.350693)),
    ({"aag": 1.84}, 5.21965 * (1 + 0.5 * 0.494618), 15.5711 * (1 - 0.5 * 0.350693)),
]


def published(drug: list[float], cells: list[float], *, infused: float = 0.0) -> np.ndarray:
    """The equations as printed: three drug amounts (mg) and five pools (10^9/L), for the typical man."""
    central, shallow, deep = drug
    to_shallow = 5.58 * (central / 6.94 - shallow / 7.39)
    to_deep = 12.5 * (central / 6.94 - deep / 225)
    proliferating, *maturing, circulating = cells
    rate, baseline = 4 / 84.1791, 5.21965
    loss = 15.5711 * central / 6.94 * 1000 / 808
    first, second, third = maturing
    return np.array(
        [
            infused - 35.7 * central / 6.94 - to_shallow - to_deep,
            to_shallow,
            to_deep,
            rate * proliferating * ((1 - loss) * (baseline / circulating) ** 0.144543 - 1),
            rate * (proliferating - first),
            rate * (first - second),
            rate * (second - third),
            rate * (third - circulating),
        ]
    )


@pytest.mark.parametrize(("patient", "baseline", "slope"), COVARIATES)
def test_covariates(patient, baseline, slope):
    person = typical(MODEL, **patient)
    assert person.baseline == pytest.approx(baseline, rel=CLOSE)
    assert person.slope == pytest.approx(slope, rel=CLOSE)


@pytest.mark.parametrize("cells", [[5.2] * 5, [0.1, 0.3, 1.0, 3.0, 4.0], [9.0, 4.0, 2.0, 0.5, 0.2]])
@pytest.mark.parametrize("drug", [[0.0, 0.0, 0.0], [20.0, 5.0, 60.0]])
def test_log_states_are_the_published_equations(drug, cells):
    logs = np.log(np.array(cells) / 5.21965)
    state = unpack(MODEL.State, [*(float(x) for x in logs), *drug])
    rates = np.array([float(x) for x in pack(MODEL.derivatives(0.0, state, typical(MODEL)))])
    found = [*rates[5:], *(rates[:5] * cells)]
    assert np.allclose(found, published(drug, cells), rtol=CLOSE, atol=1e-6)


@pytest.mark.filterwarnings("ignore::twin.errors.DomainWarning")  # doses beyond what the model is meant for
@pytest.mark.parametrize("dose", [75.0, 400.0])
def test_counts_stay_positive_and_agree_with_scipy(dose):
    times = np.arange(24.0, 505.0, 24.0)
    start, during = [0.0] * 3 + [5.21965] * 5, dose * 1.8

    def course(span, start, infused, at):
        def rates(t, y):
            return published(y[:3], y[3:], infused=infused)

        return solve_ivp(rates, span, start, method="LSODA", rtol=1e-9, atol=1e-12, t_eval=at).y

    end = course((0.0, 1.0), start, during, [1.0])[:, -1]
    expected = course((1.0, times[-1]), end, 0.0, times)[-1]
    counts = np.asarray(twin.solve(MODEL, f"{dose} mg/m2 over 1 h", times)["neutrophils"])
    assert np.all(counts > 0)
    assert np.allclose(counts, expected, rtol=1e-4)
