"""The published cases themselves: an independent likelihood finds their numbers, and the models their closed forms."""

from __future__ import annotations

import csv
import math
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import twin
from twin.model import LogNormal
from twin.model.noise import Seen

from . import exact, loading, numbers
from .cases import CASES
from .numbers import Fitted

# -2 log L of a data set at a point: ours, theirs, and how far they may be apart. What is printed has 5 decimals and
# was itself found by 5 to 9 nodes, which agree to 2e-5 (warfarin), 4e-5 (M3) and 2e-3 (occasions).
POINTS = [
    ("warfarin10", numbers.WARFARIN10, 9, 1e-4),
    ("warfarin10", numbers.WARFARIN10_OTHERS[0], 9, 2e-3),  # its printed estimates are rounded
    ("warfarin10", numbers.WARFARIN10_OTHERS[1], 9, 1e-4),
    ("warfarin10", numbers.WARFARIN10_OTHERS[2], 9, 1e-4),
    ("warfarin_m3", numbers.WARFARIN_M3, 9, 1e-4),
    ("warfarin_iov", numbers.WARFARIN_IOV, 9, 1e-3),
    ("warfarin_iov", numbers.WARFARIN_IOV_FOCEI, 11, 1e-3),
    ("orange", numbers.ORANGE, 3, 1e-6),
    ("rats", numbers.RATS, 3, 1e-6),
    ("rats", numbers.INDEPENDENT_RATS, 3, 1e-6),
    ("exponential", numbers.EXPONENTIAL, 21, 1e-4),
    ("exponential", numbers.EXPONENTIAL_LAPLACE, 21, 2e-4),
    ("weibull", numbers.WEIBULL, 21, 1e-4),
    ("weibull", numbers.WEIBULL_LAPLACE, 21, 1e-4),
]
LAPLACE = [  # by one node: what a tool that approximates so reported
    ("warfarin10", numbers.WARFARIN10, numbers.WARFARIN10_LAPLACE),
    ("warfarin_m3", numbers.WARFARIN_M3_LAPLACE, numbers.WARFARIN_M3_LAPLACE.reported),
    ("weibull", numbers.WEIBULL_LAPLACE, numbers.WEIBULL_LAPLACE.reported),
]


def name_of(value: object) -> str | None:
    return value.by if isinstance(value, Fitted) else None


@pytest.mark.parametrize(("case", "point", "nodes", "allowed"), POINTS, ids=name_of)
def test_the_exact_likelihood_is_the_published_one(case, point, nodes, allowed, shared_data):
    found = getattr(exact, case)(shared_data).minus_two_ll(point, nodes)
    assert found == pytest.approx(point.minus_two_ll, abs=allowed)


@pytest.mark.parametrize(("case", "point", "reported"), LAPLACE, ids=name_of)
def test_one_node_is_laplaces_approximation(case, point, reported, shared_data):
    assert getattr(exact, case)(shared_data).minus_two_ll(point, 1) == pytest.approx(reported, abs=1e-4)


def test_conditional_moments_are_the_published_ones(shared_data):
    """Within 1.5e-6, what the sixth printed decimal and nine nodes leave."""
    data = exact.warfarin10(shared_data)
    means, sds = data.moments(numbers.WARFARIN10)
    for name, told in numbers.WARFARIN10_EFFECTS.items():
        i = [record.id for record in data.records].index(name)
        for ours, known in zip((means[i], sds[i]), told, strict=True):
            assert ours == pytest.approx(list(known.values()), abs=1.5e-6)


def test_modes_by_occasion_are_nonmems(shared_data):
    """Within 1e-4 of the logarithm: NONMEM prints five digits."""
    path = shared_data / "population" / "pop_warfarin_iov" / "nonmem_cl_by_occasion.csv"
    with path.open(newline="") as file:
        known = np.log([float(row["CL"]) for row in csv.DictReader(file)]).reshape(10, 2)
    point = numbers.WARFARIN_IOV_FOCEI
    ours = math.log(point.typical["clearance"]) + exact.warfarin_iov(shared_data).modes(point)[:, :2]
    np.testing.assert_allclose(ours, known, atol=1e-4)


@pytest.mark.parametrize("point", [numbers.RATS, numbers.INDEPENDENT_RATS], ids=name_of)
def test_quadrature_of_the_rats_is_their_closed_form(point, shared_data):
    """To rounding, as the integrand is a normal density."""
    known, data = exact.rats_in_closed_form(shared_data, point), exact.rats(shared_data)
    means, sds = data.moments(point, 4)
    assert data.minus_two_ll(point, 4) == pytest.approx(known.minus_two_ll, abs=1e-8)
    np.testing.assert_allclose(means, known.means, atol=1e-9)
    np.testing.assert_allclose(sds**2, np.broadcast_to(np.diag(known.covariance), sds.shape), rtol=1e-8)


def test_a_forgotten_occasion_or_limit_is_seen(shared_data):
    """Without between-occasion variance, or with the limit as a reading, -2 log L is units away."""
    one = numbers.WARFARIN_IOV
    without = Fitted("none", one.typical, one.variances, occasion_variances={"clearance": 1e-9})
    assert exact.warfarin_iov(shared_data).minus_two_ll(without, 5) > one.minus_two_ll + 10
    data = exact.warfarin_m3(shared_data)
    read = [exact.Record(r.id, r.time, r.value, 0 * r.bound) for r in data.records]
    naive = exact.Exact(read, data.log_likelihood, data.covariance)
    assert abs(naive.minus_two_ll(numbers.WARFARIN_M3) - numbers.WARFARIN_M3.minus_two_ll) > 10


# --- models and loaders -------------------------------------------------------------------------------

DRAWS = 3


def propofol(p, t, person):
    """Each occasion by itself, by the matrix exponential."""
    q2, q3 = p["shallow_exchange"], p["deep_exchange"]
    v, v2, v3 = p["volume"], p["shallow_volume"], p["deep_volume"]
    a = np.array([
        [-(p["clearance"] + q2 + q3) / v, q2 / v2, q3 / v3], [q2 / v, -q2 / v2, 0.0], [q3 / v, 0.0, -q3 / v3],
    ])  # fmt: skip
    w, vectors = np.linalg.eig(a)
    weights = vectors[0] * np.linalg.solve(vectors, np.eye(3)[0])
    found = np.zeros_like(t)
    gap = loading.GAP["propofol"]
    for dose in person.doses:
        begin, over = float(dose.time), float(dose.over)
        past = t - begin
        own = (t // gap) == begin // gap
        past = np.where(own & (past > 0), past, 0.0)
        inside = np.minimum(past, over)
        rate = float(dose.amount.split()[0]) / over
        terms = weights / w * (np.exp(np.outer(past, w)) - np.exp(np.outer(past - inside, w)))
        found += rate / v * terms.sum(1)
    return found


def bolus(p, t, person):
    gap = loading.GAP["sites"]
    return 1000 / p["volume"] * np.exp(-p["clearance"] / p["volume"] * (t % gap))


def oral(p, t, person):
    volume, ka = (np.array([p[name]]) for name in ("volume", "absorption"))
    return exact.oral(t, 100.0, np.array([p["clearance"]]) / volume, volume, ka)[0]


def occasions(p, t, person):
    own = [p["clearance"] * np.exp(p[n]) for n in ("first", "second")]
    return exact.oral_twice(t, *(np.array([x]) for x in (*own, p["volume"], p["absorption"])))[0]


def brightness(p, t, person):
    """By the matrix exponential: nothing in common with the models' formulas."""
    a = np.array([[-p["decay"], 0.0], [p["translation"], -p["loss"]]])
    protein = scipy.linalg.expm(np.maximum(t - p["start"], 0.0)[:, None, None] * a)[:, 1, 0]
    return np.log(protein + p["offset"])


# case: the observable, and its course at individual parameters, from formulas of its own
COURSES = {
    "warfarin10": ("concentration", oral),
    "warfarin_m3": ("concentration", oral),
    "warfarin_by_occasion": ("concentration", occasions),
    "propofol": ("concentration", propofol),
    "sites": ("concentration", bolus),
    "rats": ("measured", lambda p, t, _: p["weight"] + p["growth"] * (t - 22)),
    "orange": ("circumference", lambda p, t, _: p["asymptote"] / (1 + np.exp((p["middle"] - t) / p["scale"]))),
    "exponential": ("event", lambda p, t, _: p["rate"] * t),
    "weibull": ("event", lambda p, t, _: (t / p["scale"]) ** p["shape"]),
    "eight_schools": ("result", lambda p, t, _: p["effect"] + 0 * t),
    "cells": ("brightness", brightness),
    "cells_of_time": ("brightness", brightness),
}
FEW = 4  # patients of a case whose courses are compared


class Solved:
    """Some patients of a case, deviations, parameters (name -> (patient, draw)), and what the engine makes of them."""

    def __init__(self, case, data):
        self.model, self.patients = case.model(), case.load(data)[:FEW]
        self.bound = [one.bind(self.model) for one in self.patients]
        self.times = [np.array([o.time for o in one.observations]) for one in self.bound]
        varied = {name: one.spread for name, one in self.model.parameters().items() if one.spread is not None}
        shape = (len(self.bound), DRAWS)
        z = dict(zip(varied, np.random.default_rng(1).uniform(-2, 2, (len(varied), *shape)), strict=True))
        self.found = twin.solve_many(self.model, self.bound, None, self.times, deviations=z)
        typical = self.model.typical()
        self.effects = {name: varied[name].normal_sd * z[name] for name in varied}
        self.parameters = {name: np.full(shape, getattr(typical, name)) for name in self.model.parameters()}
        for name, b in self.effects.items():
            own = self.parameters[name]
            self.parameters[name] = own * np.exp(b) if isinstance(varied[name], LogNormal) else own + b
        if case.name == "propofol":
            size = np.array([one.covariates["weight"] / 70 for one in self.bound])[:, None]
            powers = {"volume": 1, "shallow_volume": 1, "deep_volume": 1}
            powers |= {"clearance": 0.75, "shallow_exchange": 0.75, "deep_exchange": 0.75}
            self.parameters |= {name: self.parameters[name] * size**power for name, power in powers.items()}

    def log_likelihood(self, name, error):
        """By the declared noise, (patient, draw)."""
        noise, total = self.model.observables()[name].noise, []
        for i, one in enumerate(self.bound):
            held = {n: v[i, :, : len(self.times[i])] for n, v in self.found.items() if n != "status"}
            read = [np.array([getattr(o, word) for o in one.observations]) for word in ("value", "bound")]
            p = SimpleNamespace(error=error)
            seen = Seen(*map(jnp.asarray, (*read, held[name], self.times[i])), p, held)
            total.append(np.asarray(noise.log_density(seen)).sum(-1))
        return np.stack(total)


@pytest.mark.parametrize("name", COURSES)
def test_a_models_course_is_its_closed_form(name, shared_data):
    """1e-6 of each value; the exact solver and formulas are far nearer, what is integrated is near 1e-7."""
    solved, (observable, course) = Solved(CASES[name], shared_data), COURSES[name]
    assert not np.any(solved.found["status"])
    for i, (one, t) in enumerate(zip(solved.patients, solved.times, strict=True)):
        for draw in range(DRAWS):
            p = {n: v[i, draw] for n, v in solved.parameters.items()}
            ours = np.asarray(solved.found[observable])[i, draw, : len(t)]
            np.testing.assert_allclose(ours, course(p, t, one), rtol=1e-6)
    if name in BOTH:
        known = likelihoods(name, solved, shared_data)
        assert solved.log_likelihood(observable, getattr(solved.model.typical(), "error", None)) == pytest.approx(
            known, rel=1e-6
        )


# Of these the data, read twice, and the noise are compared, too: the effects in the order of `exact`.
BOTH = {
    "warfarin10": exact.ORAL, "warfarin_m3": exact.ORAL, "orange": "asymptote", "rats": "weight growth",
    "exponential": "rate", "weibull": "shape",
}  # fmt: skip


def likelihoods(name, solved, data):
    """log p(data | effects) of the same patients and draws by `exact`, from the file as it reads it."""
    typical = {n: float(getattr(solved.model.typical(), n)) for n in solved.model.parameters()}
    known, point = getattr(exact, name)(data), Fitted("the model's own", typical, {})
    records = {record.id: record for record in known.records}
    b = np.stack([solved.effects[n] for n in BOTH[name].split()], -1)
    return np.stack([
        known.log_likelihood(b[i], point, records[one.id]) for i, one in enumerate(solved.bound)
    ])  # fmt: skip


def test_cases_say_what_is_in_the_files(shared_data):
    """Patients and measurements, as their sources count them."""
    counted = {
        "warfarin10": (10, 110), "warfarin_m3": (10, 110), "warfarin_iov": (10, 220), "propofol": (24, 1006),
        "warfarin_by_occasion": (10, 220),
        "sites": (200, 6000), "rats": (30, 150), "independent_rats": (30, 150), "orange": (5, 35),
        "exponential": (100, 100), "weibull": (100, 100), "eight_schools": (8, 8), "cells": (50, 9000),
        "cells_of_time": (50, 9000), "theophylline": (12, 120), "oreilly": (32, 247), "oreilly_by_sex": (32, 247),
    }  # fmt: skip
    people = {name: case.load(shared_data) for name, case in CASES.items()}
    assert {n: (len(p), sum(len(one.observations) for one in p)) for n, p in people.items()} == counted
    bound = {name: [one.bind(CASES[name].model()) for one in p] for name, p in people.items()}
    assert sum(o.bound < 0 for one in bound["warfarin_m3"] for o in one.observations) == 10
    assert sum(o.value == 1 for one in bound["exponential"] for o in one.observations) == 82
    assert sum(o.value == 1 for one in bound["weibull"] for o in one.observations) == 84
    assert all(len(one.doses) == 4 for one in bound["propofol"])
    assert sorted(map(int, set(loading.sites_of(shared_data).values()))) == list(range(1, 21))


def test_what_is_known_is_named_as_in_the_models():
    for case in CASES.values():
        model = case.model()
        kappas = {"first", "second", *(n for several in model.occasions.values() for n in several)}
        for point in (case.known, *case.others) if case.known else ():
            strange = point.typical.keys() - model.parameters().keys()
            assert strange <= {"weight_on_volume", "weight_on_clearance"}
            varied = {name for name, one in model.parameters().items() if one.spread}
            assert point.variances.keys() == varied - kappas
