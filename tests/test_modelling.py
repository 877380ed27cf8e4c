"""The model contract: what a model says about itself, and every way in which a declaration can be wrong."""

from __future__ import annotations

import inspect
import re
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from tests.toys import BLOCKS, Erlang, MichaelisMenten, OralOne, Oscillator, Savic, Turnover
from twin.errors import TwinError, TwinErrors
from twin.library import model_classes
from twin.model import (
    Additive,
    Autocorrelated,
    Category,
    Combined,
    Delivery,
    DiseaseModel,
    Domain,
    Highest,
    Individual,
    LogNormal,
    Nothing,
    Proportional,
    StudentT,
    Uniform,
    category,
    contract,
    covariate,
    exogenous,
    observable,
    pack,
    parameter,
    part,
    replace,
    state,
    treatment,
    unpack,
    zeros,
)
from twin.model.contract import check_model
from twin.parts import compartments
from twin.parts.compartments import OneCompartment, OralOneCompartment
from twin.types import Scalar

# --- categories ---------------------------------------------------------------------------------------

LEVELS = ("GG", "GA", "AA")
VALUES = {"GG": 1.0, "GA": 2.0, "AA": 4.0}


@pytest.mark.parametrize(("code", "expected"), [(0.0, 1.0), (1.0, 2.0), (2.0, 4.0)])
def test_pick_takes_the_value_of_the_level(code, expected):
    assert Category(code, LEVELS).pick(VALUES) == expected
    many = jax.vmap(lambda c: Category(c, LEVELS).pick(VALUES))(jnp.array([0.0, code, 2.0]))
    assert many.tolist() == [1.0, expected, 4.0]


def test_pick_takes_no_value_of_another_level_into_its_slope():
    """A patient's slope is that by her own level's value: 1 for hers, 0 for the others."""
    slopes = jax.grad(lambda values: Category(1.0, LEVELS).pick(values))(VALUES)
    assert {name: float(value) for name, value in slopes.items()} == {"GG": 0.0, "GA": 1.0, "AA": 0.0}


@pytest.mark.parametrize(
    ("values", "odd"), [({"GG": 1, "GA": 2}, "AA"), ({**VALUES, "AC": 3}, "AC"), ({}, "AA"), ({"gg": 1}, "gg")]
)
def test_pick_needs_every_level_and_no_other(values, odd):
    with pytest.raises(TwinError, match=rf"pick\(\) needs exactly the levels .*'{odd}'"):
        Category(0.0, LEVELS).pick(values)


def test_is_says_one_or_nothing():
    assert [float(Category(1.0, LEVELS).is_(level)) for level in LEVELS] == [0.0, 1.0, 0.0]


def test_a_reference_must_be_a_level():
    with pytest.raises(TwinError, match="reference 'AC' is not one of the levels"):
        category("AC", LEVELS, "genotype")


# --- individuals --------------------------------------------------------------------------------------


class Covariates(eqx.Module):
    weight: Scalar = covariate(70.0, "kg", "weight")


class Inputs(eqx.Module):
    meal: Scalar = exogenous(0.0, "g/h", "meal")


class Parameters(eqx.Module):
    clearance: Scalar = parameter(5.0, "L/h", "clearance", spread=LogNormal(0.3))
    volume: Scalar = parameter(50.0, "L", "volume", spread=LogNormal(0.2))
    error: Scalar = parameter(0.1, "1", "error")


def test_an_individual_reads_alike():
    p = Individual(Parameters(), Covariates(), Inputs())
    assert (p.clearance, p.weight, p.meal) == (5.0, 70.0, 0.0)


def test_an_unknown_name_gets_a_suggestion():
    p = Individual(Parameters(), Covariates(), Inputs())
    with pytest.raises(AttributeError, match="this model declares no 'clearence'; did you mean 'clearance'"):
        _ = p.clearence
    with pytest.raises(AttributeError, match="declares no 'wieght'; did you mean 'weight'"):
        _ = p.wieght


# --- values and states --------------------------------------------------------------------------------


def test_other_typical_values():
    model = OralOne().with_values(clearance=4.0)
    assert (model.typical().clearance, model.typical().volume) == (4.0, 50.0)
    assert model.with_values(volume=40.0).values == {"clearance": 4.0, "volume": 40.0}
    assert OralOne().typical().clearance == 5.0, "another object is another matter"


def test_an_unknown_parameter_is_refused():
    with pytest.raises(TwinError, match="model 'toy_OralOneCompartment' has no parameter 'clearence'; did you mean"):
        OralOne().with_values(clearence=4.0)


def test_states_are_named_through_their_parts():
    assert list(Turnover.states()) == ["drug.depot", "drug.central", "drug.peripheral", "biomarker"]
    assert Turnover.positions("drug") == (0, 1, 2)
    assert Turnover.positions("biomarker") == (3,)
    assert Turnover.states()["drug.central"].unit == "mg"
    with pytest.raises(TwinError, match="has no state 'drgu'"):
        Turnover.positions("drgu")


@pytest.mark.parametrize("model", [*BLOCKS, Erlang, Turnover, MichaelisMenten])
def test_packing_and_unpacking_are_inverse(model):
    numbers = [float(i) for i in range(len(model.states()))]
    assert pack(unpack(model.State, numbers)) == numbers
    assert pack(zeros(model.State)) == [0.0] * len(numbers)
    assert type(unpack(model.State, numbers)) is model.State


def test_declarations_are_in_order():
    assert list(OralOne.treatments()) == ["oral", "blood"]
    assert list(twin.load_model("warfarin").parameters())[:3] == ["absorption", "volume", "clearance"]


# --- what a model declares ----------------------------------------------------------------------------


class Good(DiseaseModel):
    """A model with one of everything, from which the wrong ones below differ in one thing."""

    name, title, time_unit = "toy_good", "one of everything", "h"
    Parameters, Covariates, Inputs, linear = Parameters, Covariates, Inputs, ("drug",)
    correlations = {("clearance", "volume"): 0.5}
    domain = Domain("nobody", largest_dose={"oral": 100.0})

    class State(eqx.Module):
        drug: OralOneCompartment = part(OralOneCompartment, "mg", "the drug")
        effect: Scalar = state("1", "effect")

    def derivatives(self, t, y, p):
        drug = y.drug.rates(absorption=1.0, clearance=p.clearance, volume=p.volume)
        return self.State(drug, p.meal - y.effect)

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery()

    @observable(unit="mg/L", noise=Proportional("error"))
    def concentration(self, t, y, p):
        return y.drug.central / p.volume

    outcomes = {"peak": Highest(of="concentration")}


def variant(**members) -> type[DiseaseModel]:
    return type("Variant", (Good,), {"name": "toy_variant", **members})


def parameters(**members) -> type:
    """The Parameters of `Good` with more or other ones."""
    return type("Parameters", (Parameters,), {"__annotations__": dict.fromkeys(members, Scalar), **members})


def given(into: str, unit: str = "mg", codes=None):
    @treatment(unit=unit, into=into, codes=codes)
    def oral(self, p):
        return Delivery()

    return oral


def seen(unit: str = "mg/L", noise=None, **more):
    @observable(unit=unit, noise=noise, **more)
    def concentration(self, t, y, p):
        return y.drug.central / p.volume

    return concentration


class Undeclared(eqx.Module):
    drug: OneCompartment
    effect: Scalar = state("1", "effect")


# name: (what is other than in Good, the words of the problem)
WRONG = {
    "no name": ({"name": None}, "'name' is missing; every model says it"),
    "no states": ({"State": None}, "'State' is missing"),
    "a state not declared": ({"State": Undeclared}, "State.drug is not declared; write it with state() or part()"),
    "a parameter called like a covariate": (
        {"Parameters": parameters(weight=parameter(1.0, "kg", "weight"))},
        "'weight' is declared as parameter and as covariate; give each its own name, both are read as p.weight",
    ),
    "a parameter called like an input": (
        {"Parameters": parameters(meal=parameter(1.0, "g", "meal"))}, "'meal' is declared as parameter and as input",
    ),
    "a name that p has": (
        {"Parameters": parameters(inputs=parameter(1.0, "g", "inputs"))}, "a parameter cannot be called 'inputs'",
    ),
    "a name that no class takes": (
        {"Parameters": parameters(cls=parameter(1.0, "g", "class"))}, "a parameter cannot be called 'cls'",
    ),
    "a name of every model": ({"states": seen()}, "an observable cannot be called 'states', which every model has"),
    "a dimension of results": (
        {"outcomes": {"draw": Highest(of="concentration")}}, "an outcome cannot be called 'draw'"
    ),
    "a word of regimens": ({"doses": given("drug.depot")}, "a treatment cannot be called 'doses'"),
    "a treatment into nowhere": (
        {"oral": given("drug.dept")}, "treatment 'oral' goes into unknown state 'drug.dept'; did you mean 'drug.depot'",
    ),
    "a treatment into a part": (
        {"oral": given("drug")},
        "treatment 'oral' goes into 'drug', which is several states; name one: drug.depot, drug.central",
    ),
    "linear by another name": ({"linear": ("drgu",)}, "linear names unknown state 'drgu'; did you mean 'drug'?"),
    "noise of no parameter": (
        {"concentration": seen(noise=Combined(additive="errr", proportional="error"))},
        "noise of observable 'concentration': unknown parameter 'errr'; did you mean 'error'?",
    ),
    "a relative error where an absolute one belongs": (
        {
            "Parameters": parameters(floor=parameter(0.1, "1", "assay noise")),
            "concentration": seen(noise=Combined(additive="floor", proportional="error")),
        },
        "noise of observable 'concentration': parameter 'floor' is in '1', not in 'mg/L'; change the unit, or check",
    ),
    "an error in another unit of the same kind": (
        {
            "Parameters": parameters(floor=parameter(100.0, "ng/mL", "assay noise")),
            "concentration": seen(noise=StudentT(Additive("floor"))),
        },
        "noise of observable 'concentration': parameter 'floor' is in 'ng/mL', not in 'mg/L'",
    ),
    "a memory that is no time": (
        {"concentration": seen(noise=Autocorrelated(Proportional("error"), "volume"))},
        "parameter 'volume' is in 'L', not in 'h'",
    ),
    "an outcome of nothing": (
        {"outcomes": {"peak": Highest(of="concentrations")}},
        "outcome 'peak': unknown observable 'concentrations'; did you mean 'concentration'?",
    ),
    "correlation of a fixed parameter": (
        {"correlations": {("clearance", "error"): 0.5}},
        "correlation of clearance and error: 'error' has no spread; give it one, or leave the correlation out",
    ),
    "correlation of no parameter": (
        {"correlations": {("clearance", "volum"): 0.5}}, "correlation of clearance and volum: 'volum' is no parameter",
    ),
    "correlation above one": ({"correlations": {("clearance", "volume"): 1.5}}, "volume cannot be 1.5; write each"),
    "covariance of a fixed parameter": (
        {"covariances": {("clearance", "error"): 0.5}}, "covariance of clearance and error: 'error' has no spread",
    ),
    "covariance of what is normal on no scale": (
        {
            "Parameters": parameters(share=parameter(0.5, "1", "share", spread=Uniform(0.0, 1.0))),
            "covariances": {("clearance", "share"): 0.1},
        },
        "covariance of clearance and share: 'share' is normal on no scale; give the correlation instead",
    ),
    "covariance beside a correlation": (
        {"covariances": {("clearance", "volume"): 0.01}}, "clearance and volume have a correlation and a covariance",
    ),
    "correlation with itself": ({"correlations": {("volume", "volume"): 0.5}}, "of volume and volume cannot be 0.5"),
    "correlation said twice": (
        {"correlations": {("clearance", "volume"): 0.5, ("volume", "clearance"): 0.4}}, "write each pair once",
    ),
    "a parameter's unit": (
        {"Parameters": parameters(rate=parameter(1.0, "L/hr/70kg", "rate"))},
        "parameter 'rate': unknown unit 'L/hr/70kg'; write one such as mg, mg/L, h or 1",
    ),
    "a treatment's unit": ({"oral": given("drug.depot", "tablets")}, "treatment 'oral': unknown unit 'tablets'"),
    "an observable's unit": ({"concentration": seen("mg//L")}, "observable 'concentration': unknown unit 'mg//L'"),
    "time in kilograms": ({"time_unit": "kg"}, "time_unit 'kg' is no unit of time"),
    "time in nothing": ({"time_unit": "hrss"}, "time_unit: unknown unit 'hrss'"),
    "codes of no vocabulary": (
        {"oral": given("drug.depot", codes={"rxnrom": ("1",)})},
        "unknown vocabulary 'rxnrom'; did you mean 'rxnorm'?",
    ),
    "one code as a text": (
        {"oral": given("drug.depot", codes={"rxnorm": "1"})},
        "'rxnorm' needs a tuple of texts",
    ),
    "a molar mass of nothing": ({"concentration": seen(molar_mass=0.0)}, "molar_mass must be above 0 g/mol"),
    "plausible the wrong way": ({"concentration": seen(plausible=(9.0, 1.0))}, "plausible must rise"),
    "a largest dose of nothing": (
        {"domain": Domain("x", largest_dose={"orel": 1.0})}, "largest_dose names unknown treatment 'orel'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("members", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_declaration_is_one_sentence(members, words):
    (problem,) = check_model(variant(**members))
    assert words in problem
    with pytest.raises(TwinErrors) as refusal:
        variant(**members)()
    assert words in str(refusal.value)
    assert len(refusal.value.problems) == 1


def test_every_problem_is_found_in_one_pass():
    kind = variant(linear=("drgu",), oral=given("drug"), time_unit="kg", outcomes={"peak": Highest(of="x")})
    with pytest.raises(TwinErrors) as refusal:
        kind()
    assert len(refusal.value.problems) == 4
    assert all(problem.startswith("model 'toy_variant': ") for problem in refusal.value.problems)


@pytest.mark.parametrize("kind", [Good, *BLOCKS, Erlang, Oscillator, MichaelisMenten, Savic, Turnover])
def test_right_models_are_right(kind):
    assert check_model(kind) == []


@pytest.mark.parametrize("name", model_classes())
def test_shipped_models_are_right_and_checked_fast(name):
    kind = model_classes()[name]
    check_model(kind)  # units are parsed once for all models
    began = time.process_time()
    assert check_model(kind) == []
    assert time.process_time() - began < 0.05


def test_a_class_is_looked_at_once(monkeypatch):
    looked = []
    monkeypatch.setattr(contract, "check_model", lambda kind: looked.append(kind) or [])
    kind = variant()
    for _ in range(3):
        kind().with_values(clearance=3.0)
    assert looked == [kind]


# --- equations that name something else ---------------------------------------------------------------


def test_equations_that_name_nothing_say_what_was_meant():
    class Typo(Good):
        name = "toy_typo"

        def derivatives(self, t, y, p):
            return self.State(y.drug.rates(absorption=1.0, clearance=p.clearence, volume=p.volume), 0.0)

    with pytest.raises(AttributeError, match="declares no 'clearence'; did you mean 'clearance'"):
        twin.solve(Typo(), "5 mg", [1.0])


WRONG_RATES = {
    "an unknown name": ({"ka": 1.0, "clearance": 1.0, "volume": 1.0}, "unknown argument 'ka'"),
    "a missing one": ({"absorption": 1.0, "clearance": 1.0}, "'volume' is missing"),
}
ORDER = (1.0, 1.0, 1.0)


@pytest.mark.parametrize("linear", [(), ("drug",)], ids=["integrated", "exact"])
@pytest.mark.parametrize(("given", "words"), [*WRONG_RATES.values(), (ORDER, "its arguments have names")])
def test_a_wrong_argument_of_a_block_is_one_sentence(given, words, linear):
    """It was a TypeError from the depth of a solver, with 50 to 70 lines of traceback."""

    class Typo(Good):
        name = "toy_typo"

        def derivatives(self, t, y, p):
            drug = y.drug.rates(**given) if isinstance(given, dict) else y.drug.rates(*given)
            return self.State(drug, 0.0)

    Typo.linear = linear
    said = f"model 'toy_typo': OralOneCompartment.rates: {words}; write absorption=, clearance=, volume="
    for ask in (
        lambda: twin.solve(Typo(), "5 mg", [1.0]),
        lambda: twin.simulate(Typo(), twin.Patient("ana"), regimens={"one": "5 mg"}, until=2.0),
    ):
        with pytest.raises(TwinError) as refusal:
            ask()
        assert str(refusal.value) == said
        assert len(refusal.traceback) < 10


@pytest.mark.parametrize("kind", [kind for kind in vars(compartments).values() if hasattr(kind, "rates")])
def test_the_page_says_what_a_block_takes(kind):
    """`docs/models.md` has a row for each block; the oral ones share one, "the same, and `absorption`"."""
    text = (Path(__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (.*) \|$", text, re.MULTILINE))
    written = {name: said for row, said in rows.items() for name in re.findall(r"`(\w+)`", row)}
    takes = set(inspect.signature(kind.rates).parameters) - {"self"}
    said = written[kind.__name__]
    if said.startswith("the same"):
        said = f"{written[kind.__name__.removeprefix('Oral')]} {said}"
    assert takes == set(re.findall(r"`(\w+)`", said))


def test_a_model_without_parameters_or_treatments():
    class Still(DiseaseModel):
        """Nothing is given and nothing is known: x stays."""

        name, title, time_unit, Parameters, linear = "toy_still", "stays", "h", Nothing, ("x",)

        class State(eqx.Module):
            x: Scalar = state("1", "x")

        def initial(self, p):
            return replace(zeros(self.State), x=2.0)

        def derivatives(self, t, y, p):
            return self.State(0.0)

        @observable(unit="1")
        def x(self, t, y, p):
            return y.x

    np.testing.assert_array_equal(twin.solve(Still(), None, [0.0, 5.0])["x"], [2.0, 2.0])
    with pytest.raises(TwinError, match="model 'toy_still' has no treatment to give"):
        twin.solve(Still(), "5 mg", [1.0])
