"""Doses chosen by what readings say of a patient: against closed forms, and by nothing that a chart does not hold."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import numpy as np
import pytest
from scipy.stats import norm

import calibration
import twin
from calibration.feedback import dose as chosen_dose
from calibration.feedback.future import Future
from calibration.feedback.patients import in_model, patients_of
from tests.feedback.models import Vancomycin
from twin.model import (
    Additive,
    Area,
    Delivery,
    DiseaseModel,
    Final,
    Normal,
    category,
    covariate,
    observable,
    parameter,
    state,
    treatment,
)  # fmt: skip
from twin.regimen import Regimen
from twin.run.reacting.choosing import Asked, Chosen
from twin.run.reacting.ledger import WHY
from twin.types import Scalar

ANA = twin.Patient("ana", covariates={"renal": 100, "weight": 70})


class Line(DiseaseModel):
    """What is given stays; `marker` tells of the gain, with a normal error; `effect` is the gain times the amount."""

    name, title, time_unit = "line", "a gain that is measured", "h"

    class Parameters(eqx.Module):
        gain: Scalar = parameter(10.0, "1/mg", "effect of a milligram", spread=Normal(2.0))
        error: Scalar = parameter(1.0, "1", "error of the marker")

    class State(eqx.Module):
        amount: Scalar = state("mg", "what was given")

    linear = ("amount",)

    def derivatives(self, t, y, p):
        return self.State(amount=0.0 * y.amount)

    @treatment(unit="mg", into="amount")
    def tablet(self, p):
        return Delivery()

    @observable(unit="1", noise=Additive("error"))
    def marker(self, t, y, p):
        """The gain itself"""
        return p.gain + 0.0 * y.amount

    @observable(unit="1")
    def effect(self, t, y, p):
        """Proportional to what was given"""
        return p.gain * y.amount

    @observable(unit="1")
    def response(self, t, y, p):
        """No line: more and more of the dose is lost"""
        return p.gain * y.amount / (4.0 + y.amount)


def arm(choose, *, start, at, rules=({"dose": "chosen"},), doses, measure, **more):
    return {"start": start, "feedback": {
        "measure": measure, "at": at, "rules": list(rules), "doses": doses, "choose": choose, **more,
    }}  # fmt: skip


def auc_guided(aim, how, **more):
    """Two readings, which tell clearance and volume, then a choice."""
    return arm(
        {"aim": {"area": "concentration", "over": "24 h", **aim}, "estimate": how}, start="1 g q12h",
        at=[{"dose": 1, "after": "1 h"}, {"dose": 2}], measure="concentration",
        rules=[{"when": "number < 2", "dose": "same"}, {"dose": "chosen"}], **more,
    )  # fmt: skip


def simulate(model, arms, patients=ANA, **how):
    words = {"draws": 4, "times": [], "outcomes": [], "until": "48 h", "choose": calibration.choose_dose} | how
    return twin.simulate(model, patients, regimens=arms, **words)


def made(result, name, arm):
    """A column of the decisions by which a dose was chosen (draw,)."""
    table = result["decisions"].to_dataset().isel(patient=0).sel(regimen=arm)
    return np.array([row[~np.isnan(probability)][-1] for row, probability in zip(
        table[name].values, table["probability"].values, strict=True
    )])  # fmt: skip


# --- against closed forms -----------------------------------------------------------------------------


def test_of_whom_all_is_known_the_dose_is_the_target_times_clearance():
    """An error of 1e-7, no rounding, and a window in steady state: to 1e-6, where what is left of
    the first doses is e^-24 and the mode stops within 1e-9 of the log density."""
    aim = {"target": 500, "after": "480 h"}
    arms = {how: auc_guided(aim, {"method": how}, doses={"most": "10 g"}) for how in ("map", "importance")}
    result = simulate(Vancomycin({"error": 1e-7}), arms)
    clearance = result["prior/clearance"].values[0]
    for how in arms:
        np.testing.assert_allclose(made(result, "dose", how), 500 * clearance / 2, rtol=1e-6)
        np.testing.assert_allclose(made(result, "expected", how), 500, rtol=1e-6)


DRAWS = 4000


@pytest.fixture(scope="module")
def lines():
    """A dose for an effect of 35 to 45, by the probability of it, with tablets and with drops; and by the mean."""
    aim = {"final": "effect", "from": 35, "to": 45, "over": "1 h"}
    how = {"start": "1 mg q24h", "at": {"dose": 2}, "measure": "marker"}
    few = {"estimate": {"draws": DRAWS}}
    elsewhere = aim | {"target": 60}  # which the mean would be brought to
    by_probability, by_mean = {"aim": elsewhere, "by": "probability", **few}, {"aim": aim, "by": "mean", **few}
    curve = {"aim": {"final": "response", "target": 6, "over": "1 h"}, **few}
    arms = {
        "tablets": arm(by_probability, doses={"multiple_of": "0.25 mg", "most": "8 mg"}, **how),
        "drops": arm(by_probability, doses={"most": "8 mg"}, **how),
        "mean": arm(by_mean, doses={"most": "8 mg"}, **how),
        "curve": arm(curve, doses={"most": "20 mg"}, **how),
        "curve, tablets": arm(curve, doses={"multiple_of": "0.5 mg", "most": "20 mg"}, **how),
    }
    return simulate(Line(), arms, twin.Patient("ana"))


def believed(result):
    """The gain given its reading, by hand: mean and standard deviation."""
    read = result["decisions"]["reported"].sel(regimen="tablets").values[0, :, 0]
    weight = 2.0**2 / (2.0**2 + 1.0)
    return 10 + weight * (read - 10), np.sqrt(weight) * 1.0


def chance(dose, mean, sd):
    total = 1 + np.asarray(dose)  # a milligram has been given
    return norm.cdf((45 / total - mean) / sd) - norm.cdf((35 / total - mean) / sd)


def test_the_most_probable_dose_is_that_of_the_conjugate_answer(lines):
    """The grid's best by 4,000 draws may be a neighbour that is as good to three standard errors."""
    mean, sd = believed(lines)
    grid = np.arange(0, 8.01, 0.25)
    best = chance(grid, mean[:, None], sd).max(axis=1)
    dose, told = (made(lines, name, "tablets") for name in ("dose", "probability"))
    error = 3 * np.sqrt(best * (1 - best) / DRAWS)
    assert np.all(chance(dose, mean, sd) > best - error)
    np.testing.assert_allclose(told, chance(dose, mean, sd), atol=float(error.max()) * 4 / 3)
    assert len(np.unique(dose)) > 1  # not the same for everybody


def test_between_products_the_best_dose_is_found_itself(lines):
    mean, sd = believed(lines)
    fine = np.linspace(0, 8, 4001)
    best = chance(fine, mean[:, None], sd).max(axis=1)
    error = 3 * np.sqrt(best * (1 - best) / DRAWS)
    assert np.all(chance(made(lines, "dose", "drops"), mean, sd) > best - error)


def test_by_the_mean_it_is_the_target_over_the_mean(lines):
    """The mean of 4,000 draws has a standard error of sd / 63."""
    mean, sd = believed(lines)
    dose = made(lines, "dose", "mean")
    np.testing.assert_allclose(dose, 40 / mean - 1, rtol=4 * sd / np.sqrt(DRAWS) / mean.min() * 1.5)
    np.testing.assert_allclose(made(lines, "expected", "mean"), 40, rtol=1e-9)


def test_where_the_aim_is_no_line_the_dose_is_found_too(lines):
    """The response of the mean gain is gain (1 + d) / (5 + d); of tablets, the one that comes closest."""
    np.testing.assert_allclose(made(lines, "expected", "curve"), 6, rtol=1e-7)
    mean, sd = believed(lines)
    dose, tablets = made(lines, "dose", "curve"), made(lines, "dose", "curve, tablets")
    np.testing.assert_allclose(mean * (1 + dose) / (5 + dose), 6, rtol=6 * sd / np.sqrt(DRAWS) / mean.min())
    grid = np.arange(0, 20.1, 0.5)
    gain = 6 * (5 + dose) / (1 + dose)  # of the draws, as the exact dose tells
    miss = np.abs(gain[:, None] * (1 + grid) / (5 + grid) - 6)
    np.testing.assert_array_equal(tablets, grid[miss.argmin(axis=1)])


# --- what is known ------------------------------------------------------------------------------------


def recorded(asked_for: list[Asked]):
    def choose(asked: Asked) -> Chosen:
        asked_for.append(asked)
        nothing = np.full(len(asked.names), np.nan)
        return Chosen(asked.planned, nothing, nothing + 1, nothing + 1, np.zeros(len(asked.names)))

    return choose


@pytest.mark.parametrize("seed", range(3))
def test_it_is_told_what_a_chart_holds_and_no_more(seed):
    """Readings as reported, missed ones left out; doses as prescribed, whatever was forgotten, doubled or late."""
    told: list[Asked] = []
    one = auc_guided({"target": 500}, {}, doses={"most": "4 g"}, reading={"rounded": 0.5, "missed": "30 %"})
    one |= {"adherence": {"taken": "60 %", "late": "1 h", "doubled": "20 %"}}
    one["feedback"] |= {"at": {"dose": "each"}, "rules": [{"above": 20, "skip": 1}, {"dose": "chosen"}]}
    how = {"draws": 1, "seed": seed, "until": "144 h", "choose": recorded(told)}
    result = simulate(Vancomycin(), {"one": one}, **how)
    decisions, doses = (result[name].isel(patient=0, regimen=0, draw=0) for name in ("decisions", "doses"))
    assert {"forgotten", "taken twice"} & {doses["why"].attrs["meanings"][k] for k in doses["why"].values if k >= 0}
    assert np.isnan(decisions["reported"].values).any()
    asked = told[-1]
    now = float(asked.readings[0].time[0, -1])
    reported = decisions["reported"].values[decisions["read_at"].values <= now]
    np.testing.assert_array_equal(asked.readings[0].value[0], reported[~np.isnan(reported)])
    known = (doses["time"].values < now) & (doses["why"].values != WHY.index("skipped"))
    np.testing.assert_array_equal(asked.doses.time[0], doses["time"].values[known])
    assert np.all(np.mod(asked.doses.time[0], 12) == 0)  # none late
    assert set(asked.doses.amount[0].tolist()) == {1000.0}  # none forgotten or doubled
    names = {field.name for field in dataclasses.fields(Asked)}
    assert not names & {"latent", "measured", "individuals", "parameters"}


def test_whoever_else_is_there_a_patient_is_given_the_same(monkeypatch):
    """To rounding: they are estimated side by side, and the least of all differences never reaches a product."""
    arms = {"one": auc_guided({"from": 400, "to": 600}, {}, doses={"multiple_of": "50 mg", "most": "4 g"})}
    ben = twin.Patient("ben", covariates={"renal": 60, "weight": 90})
    alone, together = simulate(Vancomycin(), arms), simulate(Vancomycin(), arms, [ben, ANA])
    for name in ("dose", "reported"):
        one, other = (tree["decisions"][name].sel(patient="ana").values for tree in (alone, together))
        np.testing.assert_allclose(one, other)
    monkeypatch.setattr(chosen_dose, "_HELD", 1)  # a lane at a time
    again = simulate(Vancomycin(), arms)
    np.testing.assert_array_equal(again["decisions/dose"], alone["decisions/dose"])


def test_who_believes_another_model_is_off_by_as_much():
    """Clearance is believed to be twice what it is, and known so well that readings change nothing: half the area."""
    aim = {"target": 500, "after": "240 h"}
    wrong = auc_guided(aim, {"method": "map", "parameters": {"clearance": 8.0}}, doses={"most": "10 g"})
    right = auc_guided(aim, {"method": "map"}, doses={"most": "10 g"})
    result = simulate(Vancomycin({"error": 1.0}), {"wrong": wrong, "right": right}, draws=3)
    ratio = made(result, "dose", "wrong") / made(result, "dose", "right")
    assert np.all((ratio > 1.3) & (ratio < 2.0))
    np.testing.assert_allclose(made(result, "expected", "wrong"), 500, rtol=1e-6)  # as they believe


class Elsewhere(Vancomycin):
    """The same, asked in other units, and of one thing more."""

    name = "elsewhere"

    class Covariates(eqx.Module):
        renal: Scalar = covariate(6.0, "L/h", "creatinine clearance", low=0.6, high=15.0)
        ward: Scalar = category("b", ("a", "b"), "where")


class There(Vancomycin):
    """Where the patient is known, with levels in another order."""

    name = "there"

    class Covariates(eqx.Module):
        renal: Scalar = covariate(100.0, "mL/min", "creatinine clearance", low=10.0, high=250.0)
        ward: Scalar = category("b", ("b", "a"), "where")


def test_another_model_is_told_what_it_asks_for_in_its_own_terms():
    known = twin.Patient("ana", covariates={"renal": 100, "ward": "a"}).bind(There())
    found = in_model(known, There(), Elsewhere())
    assert found.covariates == {"renal": pytest.approx(6.0), "ward": 0.0}
    with pytest.raises(twin.TwinError, match=r"patient 'ana': model 'elsewhere', .* asks for 'ward', which"):
        in_model(ANA.bind(Vancomycin()), Vancomycin(), Elsewhere())


def test_before_anything_is_given_a_dose_can_be_chosen_too():
    """By a reading of nothing, which says nothing: the population's dose."""
    one = auc_guided({"target": 500, "after": "240 h"}, {"method": "map"}, doses={"most": "10 g"})
    one["feedback"] |= {"at": {"dose": 1}, "rules": [{"dose": "chosen"}]}
    result = simulate(Vancomycin({"error": 1.0}), {"one": one}, draws=3)
    np.testing.assert_allclose(made(result, "dose", "one"), 500 * 4 / 2, rtol=1e-3)


def test_readings_become_observations_and_those_beyond_the_assay_bounds():
    """What lies at the end of an assay's range lies there or beyond; `last` forgets what is older."""
    told: list[Asked] = []
    how = {"last": 3}
    one = auc_guided({"target": 500}, how, doses={"most": "4 g"}, reading={"rounded": 0.1, "least": 6, "most": 12})
    one["feedback"] |= {"at": [{"dose": "each"}, {"dose": "each", "after": "1 h"}], "rules": [{"dose": "chosen"}]}
    result = simulate(Vancomycin(), {"one": one}, draws=1, choose=recorded(told))
    reported = result["decisions"]["reported"].values[0, 0, 0]
    (patient,) = patients_of(told[5])
    seen = patient.observations
    np.testing.assert_array_equal([one.value for one in seen], reported[3:6])
    bounds = {one.value: one.bound for asked in told for one in patients_of(asked)[0].observations}
    assert {bound for value, bound in bounds.items() if 6 < value < 12} <= {0}
    assert bounds[6.0] == -1
    assert bounds[12.0] == 1


def test_where_nothing_can_be_solved_the_dose_stays_and_is_doubtful(monkeypatch):
    """Of the first lane, as if no course of it could be; an interval that fails is never the better one."""
    solve = Future.aims

    def fail(future, doses, lanes=None):
        found = solve(future, doses, lanes).copy()
        found[0] = np.nan
        return found

    monkeypatch.setattr(Future, "aims", fail)
    one = auc_guided({"target": 500}, {}, doses={"multiple_of": "50 mg", "most": "4 g"})
    decisions = simulate(Vancomycin(), {"one": one}, workers=1)["decisions"].isel(patient=0, regimen=0)
    taken = ~np.isnan(decisions["doubtful"].values)
    doses, doubtful = (decisions[name].values[taken] for name in ("dose", "doubtful"))
    assert doses[0] == 1000
    assert doubtful[0] == 1
    assert not doubtful[1:].any()
    nothing = np.full(1, np.nan)
    good, failed = (Chosen(np.ones(1), nothing, value, value, np.zeros(1)) for value in (np.full(1, 0.4), nothing))
    choosing = Regimen.build(one).rules(Vancomycin())[0].choosing
    for by_probability in (True, False):
        how = dataclasses.replace(choosing, by_probability=by_probability)
        assert chosen_dose._better(how, good, failed).expected == 0.4
        assert chosen_dose._better(how, failed, good).expected == 0.4


@pytest.mark.slow
def test_intervals_are_chosen_too():
    """A trough of at least 12 mg/L and a steady area: the shorter interval for whoever clears fast."""
    aim = {"lowest": "concentration", "from": 10, "to": 14, "over": "24 h", "after": "96 h"}
    one = auc_guided({}, {}, doses={"multiple_of": "250 mg", "most": "1.5 g"})
    one["feedback"]["choose"] = {"aim": aim, "every": ["8 h", "12 h", "24 h"]}
    fast = twin.Patient("fast", covariates={"renal": 160, "weight": 70})
    slow = twin.Patient("slow", covariates={"renal": 40, "weight": 70})
    result = simulate(Vancomycin(), {"one": one}, [fast, slow], draws=8, until="72 h")
    doses = result["doses"].to_dataset().isel(regimen=0)
    gaps = {who: np.diff(doses["time"].sel(patient=who).values[:, 1:4], axis=1) for who in ("fast", "slow")}
    assert gaps["fast"].mean() < gaps["slow"].mean()
    assert set(np.unique(np.concatenate([*gaps.values()]))) <= {8.0, 12.0, 24.0}


@pytest.mark.slow
def test_more_are_within_range_than_without_it():
    aim = {"from": 450, "to": 600, "after": "48 h"}
    arms = {
        "chosen": auc_guided(aim, {}, doses={"multiple_of": "50 mg", "most": "4 g"}),
        "fixed": "1 g q12h",
    }
    area = {"area": Area(of="concentration", since="96 h", until="120 h")}
    result = simulate(Vancomycin(), arms, draws=60, until="120 h", outcomes=area)
    found = result["outcomes/area"].isel(patient=0)
    inside = ((found >= 450) & (found <= 600)).mean("draw")
    assert float(inside.sel(regimen="chosen")) > float(inside.sel(regimen="fixed")) + 0.2
    again = simulate(Vancomycin(), arms, draws=60, until="120 h", outcomes=area, choose=None, ledger=result)
    np.testing.assert_array_equal(again["outcomes/area"], result["outcomes/area"])


# --- what is refused ----------------------------------------------------------------------------------

AIM = {"area": "concentration", "from": 400, "to": 600, "over": "24 h"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"choose": None}, "rules[1].dose: a dose cannot be chosen here; add choose: with its aim"),
        ({"rules": [{"dose": "same"}]}, "feedback.choose: no rule asks for it"),
        ({"rules": [{"once": "chosen"}]}, "feedback.rules[0].once: a dose cannot be chosen here; write dose: chosen"),
        ({"doses": {}}, "feedback.choose: nothing says how large a dose may be; add doses: with most"),
        ({"choose": {"aim": {"over": "24 h", "from": 1}}}, "feedback.choose.aim: say what is aimed at"),
        ({"choose": {"aim": AIM | {"area": "level"}}}, "choose.aim.area: unknown observable 'level'"),
        ({"choose": {"aim": AIM | {"from": 700}}}, "feedback.choose.aim: the range is empty"),
        ({"choose": {"aim": AIM | {"over": "0 h"}}}, "feedback.choose.aim.over: the window has no length"),
        ({"choose": {"aim": AIM | {"after": "-2 h"}}}, "feedback.choose.aim.after: '-2 h' is less than nothing"),
        ({"choose": {"aim": {"area": "concentration", "from": 400, "over": "24 h"}}}, "with from: and to:, or with"),
        ({"choose": {"aim": AIM, "every": ["0 h"]}}, "feedback.choose.every: an interval is longer than nothing"),
        ({"choose": {"aim": AIM, "estimate": {"model": "vancomycn"}}}, "unknown model 'vancomycn'; did you mean"),
        ({"choose": {"aim": AIM, "estimate": {"model": "warfarin"}}}, "has no 'concentration'; take one that has"),
        ({"choose": {"aim": AIM, "estimate": {"parameters": {"clearence": 3}}}}, "has no parameter 'clearence'"),
        ({"choose": {"aim": AIM, "estimate": {"method": "guess"}}}, "choose.estimate.method"),
    ],
)  # fmt: skip
def test_what_cannot_be_chosen_is_refused_with_its_place(change, said):
    one = auc_guided({"target": 500}, {}, doses={"most": "4 g"})
    one["feedback"] = {k: v for k, v in (one["feedback"] | change).items() if v is not None}
    try:
        told = Regimen.build(one).check(Vancomycin())
    except twin.TwinError as refused:  # before there is a model to check it with
        told = [str(refused)]
    assert len(told) == 1
    assert said in told[0]


def test_without_anybody_to_choose_it_is_refused():
    arms = {"one": auc_guided({"target": 500}, {}, doses={"most": "4 g"})}
    with pytest.raises(twin.TwinError, match=r"regimen 'one' chooses doses .* choose=calibration.choose_dose"):
        simulate(Vancomycin(), arms, choose=None)


def test_a_search_asks_whoever_is_handed_over_too():
    """Without anybody it is refused; with somebody, each candidate's doses are theirs."""
    one = auc_guided({"target": "{target}"}, {}, doses={"most": "4 g"})
    aim = {
        "regimen": one, "choose": {"target": [300, 600]}, "maximise": {"mean": "final"},
        "search": {"draws": [16], "fresh": 16},
    }  # fmt: skip
    told: list[Asked] = []
    how = {"optimise": aim, "outcomes": {"final": Final(of="concentration")}, "until": "48 h"}
    with pytest.raises(twin.TwinError, match="chooses doses by what is known of a patient"):
        twin.optimise(Vancomycin(), ANA, **how)
    twin.optimise(Vancomycin(), ANA, **how, choose=recorded(told))
    assert {asked.choosing.target for asked in told} == {300.0, 600.0}
