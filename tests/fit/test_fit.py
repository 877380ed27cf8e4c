"""Fits against the published cases, each inside its pass rule, and the likelihood against closed forms.

What nodes integrate is exact to what two numbers of nodes agree in (2e-5 for warfarin); what draws integrate carries
the noise that a fit says of itself, at most a twentieth of a standard error in every estimate.
"""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from calibration.population import shape
from calibration.population.build import build_sky
from calibration.population.climb import likelihood_of
from calibration.population.fit import fit_population
from calibration.population.marginal import Marginal
from calibration.population.report import say
from tests.fit import exact, loading, models, numbers
from tests.fit.cases import CASES
from twin.errors import TwinError
from twin.model.extension import Column, add_columns, extend
from twin.patient import Observation, Patient
from twin.run.people import bind_patients
from twin.scenario.fit_entry import FitEntry

FIT = {"orange": {"estimate": ["middle", "scale"]}, "propofol": {"estimate": ["deep_volume", "deep_exchange"]}}
ROUNDS = [Observation("concentration", 1.0, 5.0)]

# case, method: how far -2 log L may be off, estimates and standard errors (in the published errors, and relative)
NODES = {
    "warfarin10": (1e-4, 0.02, 0.03), "rats": (1e-6, 1e-3, 1e-3), "weibull": (1e-3, 0.02, 0.02),
    "orange": (1e-6, 1e-3, 1e-3),
}  # fmt: skip
SLOW = {
    ("exponential", "nodes"): (1e-3, 0.02, 0.02), ("warfarin_m3", "nodes"): (0.02, 0.05, 0.05),
    ("warfarin_iov", "nodes"): (0.05, 0.1, 0.03), ("independent_rats", "nodes"): (1e-6, 1e-3, 1e-3),
    ("warfarin_m3", "draws"): (0.5, 0.1, 0.05), ("warfarin_iov", "draws"): (0.5, 0.1, 0.05),
    ("propofol", "draws"): (0.9, 0.15, 0.10),
}  # fmt: skip


@pytest.fixture(scope="module")
def fitted(shared_data):
    kept = {}

    def fit(name: str, method: str):
        if (name, method) not in kept:
            case = CASES[name]
            kept[name, method] = fit_population(
                case.model(), case.load(shared_data), method=method, **FIT.get(name, {})
            )
        return kept[name, method]

    return fit


def _check(found, known: numbers.Fitted, rules: tuple[float, float, float]) -> None:
    deviance, estimate, error = rules
    assert found.verdict != "not trusted"
    assert abs(found.minus_two_ll - known.minus_two_ll) < deviance + 3 * found.minus_two_ll_error
    truth = {**known.typical, **{f"variance of {n}": v for n, v in known.variances.items()}}
    truth |= {f"occasion variance of {n}": v for n, v in known.occasion_variances.items()}
    for name, value in found.numbers.items():
        if name in known.errors:
            assert abs(value - truth[name]) < estimate * known.errors[name], name
            assert abs(found.errors()[name] / known.errors[name] - 1) < error, name


@pytest.mark.parametrize("name", NODES)
def test_by_nodes_it_is_the_exact_maximum(fitted, name):
    _check(fitted(name, "nodes"), CASES[name].exact, NODES[name])


def test_by_draws_it_is_within_their_noise(fitted):
    """The published rule for sampling: 0.05 and three of its own Monte-Carlo errors, estimates 0.1 SE, SEs 3 %."""
    found = fitted("warfarin10", "draws")
    _check(found, CASES["warfarin10"].exact, (0.05, 0.1, 0.03))
    assert found.checks.k.max() < 0.7


@pytest.mark.slow
@pytest.mark.parametrize(("name", "method"), SLOW)
def test_further_cases_are_inside_their_rules(fitted, name, method):
    _check(fitted(name, method), CASES[name].exact, SLOW[name, method])


@pytest.mark.parametrize("kind", ["R", "S", "RSR"])
def test_errors_of_all_three_kinds_are_nonmems(fitted, kind):
    """NONMEM prints three digits, and its own derivatives are by differences: S and RSR to 2 %."""
    known = numbers.WARFARIN10_ERRORS[kind]
    found = fitted("warfarin10", "nodes").errors(kind)
    for name, value in known.items():
        assert abs(found[name] / value - 1) < 0.03, name


def test_patients_have_their_exact_conditional_moments(fitted):
    """Means and standard deviations of SOURCE.md, which has six digits; nodes are exact to 1e-5."""
    found = fitted("warfarin10", "nodes")
    people = found.people
    at = [one.id for one in found.sky.target.patients]
    order = [one.parameter for one in found.statement.coordinates]
    for name, (means, sds) in numbers.WARFARIN10_EFFECTS.items():
        mean = people.means[at.index(name)]
        sd = np.sqrt(np.diagonal(people.covariances[at.index(name)]))
        assert np.allclose(mean, [means[n] for n in order], atol=2e-5)
        assert np.allclose(sd, [sds[n] for n in order], atol=2e-5)


def test_rats_have_theirs_to_the_last_digits(fitted, shared_data):
    """Conditional means and variances in closed form, at the numbers that were found."""
    found = fitted("rats", "nodes")
    said = found.numbers
    point = dataclasses.replace(
        numbers.RATS, typical={n: said[n] for n in ("weight", "growth", "error")},
        variances={n: said[f"variance of {n}"] for n in ("weight", "growth")},
        correlations={("weight", "growth"): said["correlation of weight and growth"]},
    )  # fmt: skip
    truth = exact.rats_in_closed_form(shared_data, point)
    order = np.argsort(np.argsort([str(i) for i in range(1, 31)]))
    assert abs(found.minus_two_ll - truth.minus_two_ll) < 1e-8 * truth.minus_two_ll
    assert np.allclose(found.people.means[order], truth.means, rtol=1e-8, atol=1e-8)
    assert np.allclose(found.people.covariances[order], truth.covariance, rtol=1e-7, atol=1e-9)


def test_a_frailty_is_not_what_laplace_makes_of_it(fitted):
    """NONMEM, ferx and nlmixr2 agree on .17; the maximum is at .024."""
    assert abs(fitted("weibull", "nodes").numbers["variance of shape"] - 0.0239) < 0.003


def test_the_score_is_the_slope_of_the_exact_marginal(shared_data):
    """At a place away from the maximum, against differences of an independent quadrature (its noise is 1e-6)."""
    case, at = CASES["warfarin10"], exact.warfarin10(shared_data)
    with jax.enable_x64(True):
        sky, x = build_sky(case.model(), bind_patients(case.model(), case.load(shared_data)), FitEntry())
        x = x + 0.05
        places = shape.find_places(sky, x, [np.random.default_rng(key) for key in sky.keys(0)])
        marginal = Marginal(sky.statement, shape.grid_cloud(sky, x, places, 9))
        score = marginal.scores(x)[1].sum(0)

        def deviance(y: np.ndarray) -> float:
            said = say(sky.statement, y)
            point = dataclasses.replace(
                case.exact, typical={n: said[n] for n in case.exact.typical},
                variances={n: said[f"variance of {n}"] for n in case.exact.variances},
            )  # fmt: skip
            return at.minus_two_ll(point)

        for i, unit in enumerate(np.eye(len(x))):
            slope = (deviance(x + 1e-3 * unit) - deviance(x - 1e-3 * unit)) / -4e-3
            assert abs(score[i] - slope) < 2e-3 * max(1.0, abs(slope))


def test_the_order_of_patients_changes_nothing(shared_data):
    case = CASES["weibull"]
    people = case.load(shared_data)[:20]
    one, other = (fit_population(case.model(), given) for given in (people, people[::-1]))
    assert one.x.tobytes() == other.x.tobytes()
    assert one.numbers == other.numbers


def test_threads_change_nothing(shared_data, monkeypatch):
    case = CASES["weibull"]
    people = case.load(shared_data)[:20]
    one = fit_population(case.model(), people)
    monkeypatch.setattr("calibration.parallel.cores", lambda: 1)
    assert fit_population(case.model(), people).x.tobytes() == one.x.tobytes()


def test_sites_are_integrated_as_in_closed_form(shared_data):
    """Rats in six litters, whose weight deviates together: a normal distribution of each litter's 25 weights.

    Nodes and the engine's exact course leave rounding of 1e-8.
    """
    model = add_columns(models.LinearRats(), [Column("litter")])
    people = [
        dataclasses.replace(one, covariates={"litter": float(i % 6)}) for i, one in enumerate(loading.rats(shared_data))
    ]
    entry = FitEntry.model_validate({"sites": {"by": "litter", "of": ["weight"]}})
    with jax.enable_x64(True):
        sky, x = build_sky(model, bind_patients(model, people), entry)
        x = x + 0.02 * np.arange(len(x))
        places = shape.find_places(sky, x, [np.random.default_rng(key) for key in sky.keys(0)])
        found = likelihood_of(sky, shape.grid_cloud(sky, x, places, 15), x).values(x)
    said = say(sky.statement, x)
    time = np.array([8.0, 15.0, 22.0, 29.0, 36.0])
    design = np.stack([np.ones(5), time - 22], 1)
    sds = np.sqrt([said["variance of weight"], said["variance of growth"]])
    rho = said["correlation of weight and growth"]
    omega = np.outer(sds, sds) * np.array([[1, rho], [rho, 1]])
    own = design @ omega @ design.T + said["error"] ** 2 * np.eye(5)
    for litter in range(6):
        values = np.concatenate([[o.value for o in one.observations] for one in people[litter::6]])
        count = len(values) // 5
        covariance = np.kron(np.eye(count), own) + said["site variance of weight"]
        rest = values - np.tile(design @ [said["weight"], said["growth"]], count)
        log = -0.5 * (rest @ np.linalg.solve(covariance, rest) + np.linalg.slogdet(covariance)[1])
        log -= 0.5 * len(values) * np.log(2 * np.pi)
        assert abs(found[litter] - log) < 1e-7 * abs(log)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"effects": ["clearence"]}, "no parameter 'clearence'"),
        ({"effects": ["error"]}, "no spread"),
        ({"estimate": ["rate"]}, "no parameter 'rate'"),
        ({"correlated": [["clearance", "volume"], ["volume", "absorption"]]}, "stands in two groups"),
        ({"sites": {"by": "hospital", "of": ["clearance"]}}, "knows no covariate 'hospital'"),
        ({"mixture": {"of": ["error"]}}, "does not differ between patients"),
        ({"priors": {"values": {"clearance": {"published": True}}}}, "declares no standard error"),
        ({"drawz": 100}, "drawz"),
    ],
)
def test_what_cannot_be_fitted_is_said(words, sentence):
    people = [Patient(f"p{i}", doses="100 mg", observations=ROUNDS) for i in range(3)]
    with pytest.raises(TwinError, match=sentence):
        fit_population(models.Warfarin10(), people, **words)


def test_a_patient_without_measurements_says_nothing():
    with pytest.raises(TwinError, match="patient 'b': has no measurements"):
        fit_population(models.Warfarin10(), [Patient("a", doses="100 mg", observations=ROUNDS), Patient("b")])


def test_nodes_are_for_few_numbers():
    people = [Patient(f"p{i}", doses="100 mg", observations=ROUNDS, occasions=[0.0]) for i in range(3)]
    model = extend(CASES["sites"].model(), occasions={"clearance": {"cv": 0.1}, "volume": {"cv": 0.1}}, count=3)
    with pytest.raises(TwinError, match="nodes serve up to 4"):
        fit_population(model, people, method="nodes")


def test_a_dose_ten_times_too_large_is_named(shared_data):
    """One patient's record says 1,000 mg instead of 100."""
    people = CASES["warfarin10"].load(shared_data)
    typed = dataclasses.replace(people[4].doses[0], amount="1000 mg")
    people[4] = dataclasses.replace(people[4], doses=[typed])
    found = fit_population(models.Warfarin10(), people)
    assert any(f"patient '{people[4].id}'" in reason for reason in found.reasons)


def _litters(shared_data) -> list[Patient]:
    return loading.rats(shared_data)[:12]


@pytest.mark.slow
def test_a_mixture_is_integrated_as_in_closed_form(shared_data):
    """Rats of two classes: each one's five weights have a mixture of two normal densities; draws within 5 errors."""
    people = _litters(shared_data)
    entry = FitEntry.model_validate({"mixture": {"of": ["weight"], "classes": 2}})
    model = models.LinearRats()
    with jax.enable_x64(True):
        sky, x = build_sky(model, bind_patients(model, people), entry)
        places = shape.find_places(sky, x, [np.random.default_rng(key) for key in sky.keys(0)])
        guess = shape.adapt(sky, x, shape.guess_around(places), sky.seeds(0, 1))
        clouds = [shape.scatter_cloud(sky, x, guess, 512, sky.seeds(0, 2 + i)) for i in range(4)]
        each = np.stack([Marginal(sky.statement, one).values(x) for one in clouds])
    said = say(sky.statement, x)
    design = np.stack([np.ones(5), np.array([8.0, 15.0, 22.0, 29.0, 36.0]) - 22], 1)
    sds = np.sqrt([said["variance of weight"], said["variance of growth"]])
    rho = said["correlation of weight and growth"]
    covariance = design @ (np.outer(sds, sds) * np.array([[1, rho], [rho, 1]])) @ design.T
    covariance += said["error"] ** 2 * np.eye(5)
    share = said["share of class 2"]
    for i, one in enumerate(sky.target.patients):
        values = np.array([o.value for o in one.observations])
        logs = []
        for chance, weight in ((1 - share, said["weight"]), (share, said["weight in class 2"])):
            rest = values - design @ [weight, said["growth"]]
            log = -0.5 * (rest @ np.linalg.solve(covariance, rest) + np.linalg.slogdet(covariance)[1])
            logs.append(np.log(chance) + log - 2.5 * np.log(2 * np.pi))
        assert abs(each[:, i].mean() - np.logaddexp(*logs)) < 5 * each[:, i].std(ddof=1) / 2 + 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nodes", "draws"])
def test_an_effect_that_vanishes_is_left_out_and_named(method):
    """All volumes are the same: the typical one must not stay where patients could not be told apart."""
    rng, times, people = np.random.default_rng(2), np.array([1.0, 4.0, 10.0, 24.0]), []
    for i in range(30):
        true = 1000 / 55 * np.exp(-3.4 * np.exp(0.2 * rng.standard_normal()) / 55 * times)
        read = true * (1 + 0.1 * rng.standard_normal(4))
        seen = [Observation("concentration", float(t), float(y)) for t, y in zip(times, read, strict=True)]
        people.append(Patient(f"{i:02}", doses="1000 mg", observations=seen))
    found = fit_population(models.Sites(), people, correlated=[], method=method)
    assert "patients hardly differ in 'volume': fitted without its effect" in found.reasons
    assert abs(found.numbers["volume"] - 55) < 3 * found.errors()["volume"]
