"""Amounts by their gradient: target times clearance where nothing is uncertain, and the products around a summit."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from twin.errors import TwinError
from twin.model import Area

from .toy import AIM, ANA, BEN, MODEL, OUTCOMES, find

OFF_TARGET = {"utility": "-(auc - 500) * (auc - 500)"}


def test_vancomycin_by_its_area_is_target_times_clearance():
    """A single dose until all of it has left: AUC = dose / CL, by any kinetics that are linear."""
    patient = twin.Patient("ana", covariates={"age": 60, "weight": "80 kg", "creatinine": 1.4})
    how = {"outcomes": {"auc": Area(of="vancomycin")}, "until": "5000 h", "spread": False}
    told = twin.simulate("vancomycin", patient, regimens={"one": "1 g"}, draws=1, times=[], **how)
    clearance = float(told["prior/clearance"].values.ravel()[0])
    aim = {"regimen": "{dose} over 1 h", "maximise": OFF_TARGET}
    aim["choose"] = {"dose": {"from": "100 mg", "to": "6000 mg"}}
    found = twin.optimise("vancomycin", patient, optimise=aim, **how)
    assert found.method == "gradient"
    assert found["ana"].best.candidate[0].number == pytest.approx(500 * clearance, rel=1e-6)  # (1.4e-12 when written)
    products = aim | {"choose": {"dose": {"from": "500 mg", "to": "6000 mg", "step": "250 mg"}}}
    products["search"] = {"method": "gradient"}
    chosen = twin.optimise("vancomycin", patient, optimise=products, **how).values()["dose"]
    assert chosen == min((f"{d} mg" for d in range(500, 6001, 250)), key=lambda d: abs(float(d[:-3]) - 500 * clearance))


def test_the_mean_of_a_square_is_smallest_where_calculus_says():
    """E(c/CL x - t)^2 is smallest at x = t E(a) / E(a^2), with a = AUC by mg of each draw."""
    aim = AIM | {
        "regimen": "{dose} over 1 h q24h", "choose": {"dose": {"from": "200 mg", "to": "3000 mg"}},
        "maximise": OFF_TARGET, "search": {"draws": [64], "fresh": 64},
    }  # fmt: skip
    found = find(aim)["ana"].best.candidate[0].number
    told = twin.simulate(
        MODEL, ANA, regimens={"one": "1 g over 1 h q24h"}, outcomes=OUTCOMES, until="48 h", seed=5, draws=64, times=[]
    )
    a = told["outcomes/auc"].values[0, 0] / 1000
    assert found == pytest.approx(500 * a.mean() / (a**2).mean(), rel=1e-6)


@pytest.mark.slow
def test_a_summit_of_a_probability_is_as_good_as_the_best_product():
    """It is smoothed while climbing only: what the table of 27 doses finds is better by less than its error."""
    choose = {"dose": {"from": "200 mg", "to": "1500 mg", "step": "50 mg"}}
    aim = AIM | {"regimen": "{dose} over 1 h q12h", "choose": choose}
    table = find(aim)["ana"].best
    climbed = find(aim | {"search": AIM["search"] | {"method": "gradient"}})["ana"]
    assert len(climbed.race.candidates) <= 4
    assert climbed.best.tuned.value[0] > table.tuned.value[0] - 2 * table.tuned.error[0]


def test_factors_of_amounts_have_derivatives():
    """A linear model's outcomes are linear in the dose: the slope is the difference of the two regimens."""
    how = {"outcomes": OUTCOMES, "until": "48 h", "towards": {"more": "3 g over 1 h q12h"}}
    regimen = "1 g over 1 h q12h"

    def auc(x):
        parameters = {"clearance": jnp.array([[3.0, 5.0], [4.0, 2.0]])}
        factor = {"more": jnp.broadcast_to(x, (2, 2))}
        return twin.solve_many(MODEL, [ANA, BEN], regimen, parameters=parameters, factors=factor, **how)["auc"]

    at = jnp.float64(0.25)
    ends = auc(jnp.float64(0.0)), auc(jnp.float64(1.0))
    slope = jax.jacfwd(auc)(at)
    np.testing.assert_allclose(slope, ends[1] - ends[0], rtol=1e-9)
    np.testing.assert_allclose(auc(at), 0.75 * ends[0] + 0.25 * ends[1], rtol=1e-9)
    np.testing.assert_allclose(jax.grad(lambda x: auc(x).sum())(at), slope.sum(), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"choose": {"dose": ["1 g"], "every": {"from": "8 h", "to": "24 h"}}}, "changes more than the amounts"),
        ({"maximise": {"quantile": "auc", "share": 0.1}}, "has no gradient"),
        ({"subject_to": [{"mean": "highest", "at_most": 30}]}, "has no constraints"),
        ({"where": "dose > 1"}, "has no 'where'"),
    ],
)
def test_what_has_no_gradient_is_refused(change, words):
    aim = AIM | {"choose": {"dose": {"from": "500 mg", "to": "900 mg"}, "every": ["12 h"]}} | change
    with pytest.raises(TwinError, match=words):
        find(aim)
