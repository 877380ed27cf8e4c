"""The chosen times: every set tried by hand, known optima, windows that are kept, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import twin
from twin.errors import TwinError
from twin.sampling import search
from twin.sampling.candidates import Block, Candidates

from .models import Alike, Decay, Line, Warfarin

ANA = twin.Patient("ana")
GRID = {"from": 0.5, "to": 12, "step": 0.5}
NOTHING = {"none": None}
RATE = {"typical": ["rate"], "spread": [], "error": []}
BOTH = {"typical": ["size", "rate"], "spread": [], "error": []}


def choose(model=None, regimens=None, **words):
    words = {"measure": "amount", "about": "population", "subjects": 20} | words
    return twin.optimal_sampling(model or Decay(), words.pop("patients", ANA), regimens or NOTHING, **words)


def times_of(found, group="ana"):
    return np.asarray(found["sampling/time"].sel(group=group)).tolist()


# --- known optima --------------------------------------------------------------------------------------

# An amount 10 exp(-0.25 t). One time for the rate: with a constant error t^2 exp(-2kt) is highest at 1 / k = 4 h; with
# a proportional one, t^2 is, at the end. Two times for both: as early as can be, and 1 / k later; or both ends.
OPTIMA = {
    "rate, constant error": ("amount", RATE, 1, [4.0]),
    "rate, proportional error": ("reading", RATE, 1, [12.0]),
    "both, constant error": ("amount", BOTH, 2, [0.5, 4.5]),
    "both, proportional error": ("reading", BOTH, 2, [0.5, 12.0]),
}


@pytest.mark.parametrize("case", OPTIMA)
def test_an_optimum_that_is_known(case):
    measure, unknown, count, wanted = OPTIMA[case]
    found = choose(Alike(), measure=measure, estimate=unknown, windows=[GRID], choose=count)
    assert times_of(found) == wanted
    assert found.attrs["how"] == "every set tried"


# --- every set tried by hand ------------------------------------------------------------------------------

DAY = {"from": 0.5, "to": 60.5, "step": 4}
AIMS = {
    "all": ("all", lambda m: np.linalg.slogdet(m)[1] / 7),
    "two of them": (
        {"determinant": ["clearance", "volume"]},
        lambda m: (np.linalg.slogdet(m)[1] - np.linalg.slogdet(m[2:, 2:])[1]) / 2,
    ),
    "one exactly": ({"precision": ["variance of clearance"]}, lambda m: -np.log(np.linalg.inv(m)[3, 3])),
}


@pytest.mark.parametrize("aim", AIMS)
def test_the_best_set_is_that_of_brute_force(aim):
    """Against the information of every set by itself, each from one call of the search's own rows, scored here."""
    said, score = AIMS[aim]
    words = {"measure": "level", "subjects": 32, "aim": said, "fixed": [2.0, 96.0], "apart": 8}
    found = choose(Warfarin(), {"once": "70 mg"}, windows=[DAY], choose=2, **words)
    candidates = np.arange(0.5, 61, 4)
    allowed = [
        pair for pair in itertools.combinations(candidates, 2)
        if np.diff(np.sort([*pair, 2.0, 96.0])).min() >= 8
    ]  # fmt: skip
    whole = choose(Warfarin(), {"once": "70 mg"}, **words | {"fixed": [2.0, 96.0, *candidates], "apart": 0})
    assert whole.attrs["how"] == "given"
    values = np.array([0.15, 8.0, 1.0, 0.07, 0.02, 0.6, 0.01])
    scores = [score(matrix_of(pair) * np.outer(values, values)) for pair in allowed]
    best = allowed[int(np.argmax(scores))]
    assert times_of(found) == sorted([*best, 2.0, 96.0])
    assert found.attrs["sets_tried"] == len(allowed)
    assert found.attrs["score"] == pytest.approx(max(scores), rel=1e-6)
    for pair in allowed[::7]:
        given = twin.information(
            Warfarin(), ANA, {"once": "70 mg"}, times=sorted([*pair, 2.0, 96.0]), measure="level", subjects=32
        )
        own = given["information/matrix"].values
        assert own == pytest.approx(matrix_of(pair), rel=1e-5, abs=1e-7 * np.abs(own).max())


def matrix_of(pair):
    """The reduced information of 32 subjects, in closed form: slopes of one compartment by differences."""
    times = np.sort([*pair, 2.0, 96.0])

    def level(x):
        rate = x[0] / x[1]
        scale = 70 * x[2] / (x[1] * (x[2] - rate))
        return scale * (np.exp(-rate * times) - np.exp(-x[2] * times))

    x = np.array([0.15, 8.0, 1.0])
    slope = np.stack(
        [(level(x + s) - level(x - s)) / (2e-5 * v) for s, v in zip(1e-5 * np.diag(x), x, strict=True)], -1
    )
    relative = slope * x
    variance = relative @ np.diag([0.07, 0.02, 0.6]) @ relative.T + np.diag(0.01 * level(x) ** 2)
    inverse = np.linalg.inv(variance)
    parts = [np.outer(column, column) for column in relative.T] + [np.diag(level(x) ** 2)]
    weighed = [inverse @ part for part in parts]
    found = np.zeros((7, 7))
    found[:3, :3] = slope.T @ inverse @ slope
    found[3:, 3:] = [[0.5 * np.sum(a * b.T) for b in weighed] for a in weighed]
    return 32 * found


def test_exchange_finds_what_trying_every_set_does(monkeypatch):
    words = {"measure": "level", "subjects": 32, "windows": [{"from": 0.5, "to": 96.5, "step": 6}], "choose": 4}
    every = choose(Warfarin(), {"once": "70 mg"}, **words)
    monkeypatch.setattr(search, "MOST_TRIED", 10)
    exchanged = choose(Warfarin(), {"once": "70 mg"}, **words)
    assert (every.attrs["how"], every.attrs["sets_tried"]) == ("every set tried", 2380)
    assert exchanged.attrs["how"] == "exchange from 12 random starts"
    assert times_of(exchanged) == times_of(every)
    again = choose(Warfarin(), {"once": "70 mg"}, **words)
    assert times_of(again) == times_of(exchanged)


def test_groups_are_chosen_together():
    """Two groups of a time each against every pair of times, by the information of both."""
    window = {"from": 0.5, "to": 12, "step": 0.5}
    groups = {"one": {"subjects": 3}, "other": {"subjects": 3, "windows": [{"from": 2, "to": 9, "step": 0.5}]}}
    found = choose(Alike(), estimate=BOTH, windows=[window], choose=1, groups=groups)
    slopes = lambda t: np.array([np.exp(-0.25 * t), -10 * t * np.exp(-0.25 * t)])  # noqa: E731
    matrix = lambda a, b: np.outer(slopes(a), slopes(a)) + np.outer(slopes(b), slopes(b))  # noqa: E731
    pairs = list(itertools.product(np.arange(0.5, 12.1, 0.5), np.arange(2, 9.1, 0.5)))
    best = max(pairs, key=lambda pair: np.linalg.det(matrix(*pair)))
    assert (times_of(found, "one"), times_of(found, "other")) == ([best[0]], [best[1]])
    groups["other"] = {"windows": [], "fixed": [8.0], "subjects": 3}  # measured anyway: nothing of it is chosen
    found = choose(Alike(), estimate=BOTH, windows=[window], choose=1, groups=groups)
    best = max(np.arange(0.5, 12.1, 0.5), key=lambda t: np.linalg.det(matrix(t, 8.0)))
    assert (times_of(found, "one"), times_of(found, "other")) == ([best], [8.0])


def test_the_profile_and_the_even_spread_are_efficiencies():
    """With 1 time for the rate the variance is known: its inverse is t^2 exp(-2kt), up to a factor."""
    found = choose(Alike(), estimate=RATE, windows=[GRID], choose=1)
    profile = found["profile"].to_dataset().sel(group="ana", place=0)
    times, worth = profile["time"].values, profile["efficiency"].values
    told = times**2 * np.exp(-0.5 * times)
    assert worth == pytest.approx(told / told.max(), rel=1e-6)
    middle = 6.5  # of 24 times, the one past the middle
    assert float(found["profile/even"][0]) == pytest.approx(told[times == middle][0] / told.max(), rel=1e-6)


def test_a_line_aims_at_where_it_will_be():
    """Correlated normal spreads and an error, all unknown; the place at 24 h depends on the two typical values."""
    words = {"measure": "place", "windows": [{"from": 0, "to": 10, "step": 1}], "choose": 3, "aim": {"outcome": "last"}}
    found = choose(Line(), settings=twin.Settings(until=24.0), fixed=[0.5], **words)
    at, omega = np.array([1.0, 24.0]), np.array([[4.0, -0.3], [-0.3, 0.25]])

    def matrix(times):
        slope = np.stack([np.ones(len(times)), times], -1)
        inverse = np.linalg.inv(slope @ omega @ slope.T + 1.5**2 * np.eye(len(times)))
        a, b = slope.T
        parts = [np.outer(a, a), np.outer(b, b), np.outer(a, b) + np.outer(b, a), np.eye(len(times))]
        weighed = [inverse @ part for part in parts]
        whole = np.zeros((6, 6))
        whole[:2, :2] = slope.T @ inverse @ slope
        whole[2:, 2:] = [[0.5 * np.sum(one * other.T) for other in weighed] for one in weighed]
        return 20 * whole

    sets = list(itertools.combinations(range(11), 3))
    best = min(sets, key=lambda s: at @ np.linalg.inv(matrix(np.array([0.5, *s])))[:2, :2] @ at)
    assert times_of(found) == sorted([0.5, *map(float, best)])
    names = [
        "start",
        "speed",
        "variance of start",
        "variance of speed",
        "covariance of start and speed",
        "variance of noise",
    ]
    own = found["information/matrix"].sel(unknown=names, other=names).values
    assert own == pytest.approx(matrix(np.array(times_of(found))), rel=1e-8, abs=1e-10)


def test_several_observables_are_read_at_once():
    """Where nobody differs, the information of what is read together adds."""
    words = {"windows": [], "fixed": [1.0, 6.0], "estimate": BOTH}
    each = [choose(Alike(), measure=name, **words)["information/matrix"].values for name in ("amount", "reading")]
    both = choose(Alike(), measure=["amount", "reading"], **words)
    assert both["information/matrix"].values == pytest.approx(each[0] + each[1], rel=1e-12)
    assert both["courses/median"].sizes["observable"] == 2


# --- windows ---------------------------------------------------------------------------------------------


def test_a_time_in_each_window_and_apart():
    windows = [{"from": 1, "to": 5, "step": 1, "choose": 1}, {"from": 4, "to": 8, "step": 1, "choose": 2}, 9]
    with pytest.raises(TwinError, match="choose: is missing; say how many times are chosen, here or in each window"):
        choose(Alike(), windows=windows, estimate=BOTH)
    found = times_of(choose(Alike(), windows=windows[:2], estimate=BOTH, apart=2))
    assert found[0] <= 5
    assert len(found) == 3
    assert min(np.diff(found)) >= 2


def test_the_only_set_that_fits_is_found():
    """Five times an hour apart in four hours: of 53,130 sets, one."""
    times = np.arange(25) / 6
    only = Candidates(times, (Block(tuple(range(25)), 5),), np.zeros(0), 1.0)
    assert np.sort(times[only.random_set(np.random.default_rng(0))]) == pytest.approx([0, 1, 2, 3, 4])


GOOD = {"windows": [GRID], "choose": 2}
REFUSED = {
    "an unknown observable": ({"measure": "amont"}, "measure: unknown observable 'amont'; did you mean 'amount'?"),
    "the same observable twice": (
        {"measure": ["amount", "amount"]},
        r"measure\[1\]: 'amount' is named twice; keep one",
    ),
    "an unknown key": ({"window": [GRID]}, "window: unknown key; did you mean 'windows'?"),
    "nothing to measure": ({"windows": [], "choose": None}, "nothing is measured: give windows to choose from"),
    "no windows": ({"windows": []}, "choose: there are no windows to choose from; add 'windows:"),
    "no count": ({"choose": None}, "choose: is missing; say how many times are chosen"),
    "too many": ({"choose": 30}, "choose: 30 of 24 times cannot be chosen; choose fewer, or take shorter steps"),
    "too far apart": ({"apart": 12}, "choose: the windows have no 2 times that are 12 apart; widen them"),
    "apart backwards": ({"apart": "-1 h"}, "apart: '-1 h' is less than nothing"),
    "a backward window": ({"windows": [{"from": 5, "to": 1, "step": 1}]}, r"windows\[0\]: the window holds no time"),
    "no steps": (
        {"windows": [{"from": 1, "to": 5, "step": 0}]},
        r"windows\[0\]: the window holds no time; 'step' must",
    ),
    "tiny steps": ({"windows": [{"from": 0, "to": 5, "step": 1e-6}]}, "steps are more than the 2000 allowed"),
    "a window in kg": ({"windows": ["3 kg"]}, r"windows\[0\]: time '3 kg': 'kg' is no unit of time"),
    "a time twice": ({"fixed": [1, "60 min"]}, r"fixed\[1\]: '60 min' is given twice; keep one"),
    "fixed too near": ({"fixed": [1, 2], "apart": 3}, "apart: the fixed times are 1 h apart themselves"),
    "two aims": (
        {"aim": {"precision": ["rate"], "outcome": "x"}},
        "aim: has exactly one of determinant, precision and",
    ),
    "an unknown aim": ({"aim": {"precision": ["rat"]}}, r"aim.precision\[0\]: 'rat' is not among what is unknown; did"),
    "an unknown outcome": ({"aim": {"outcome": "auc"}}, "aim.outcome: unknown outcome 'auc'; none is defined here"),
    "an unknown estimate": ({"estimate": {"typical": ["rat"]}}, r"estimate.typical\[0\]: unknown parameter 'rat'; did"),
    "no spread": (
        {"estimate": {"spread": ["noise"]}},
        r"estimate.spread\[0\]: 'noise' has no declared spread; known: ",
    ),
    "an error as typical": (
        {"estimate": {"typical": ["noise"]}},
        r"'noise' is no parameter of the model but of an error",
    ),
    "another's error": ({"estimate": {"error": ["error"]}}, r"error\[0\]: 'error' does not size the error of what is"),
    "an unknown regimen": ({"regimen": "nothing"}, "regimen: unknown regimen 'nothing'; did you mean 'none'?"),
    "an unknown patient": ({"groups": {"a": {"patient": "anna"}}}, "groups.a.patient: unknown patient 'anna'; did you"),
    "patients with subjects": (
        {"about": "patients"},
        "subjects: is of a population; add 'about: population', or leave",
    ),
    "an aim in words": ({"aim": "most"}, "aim: 'most' is not allowed; write 'all'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_asked_is_one_sentence(case):
    words, said = REFUSED[case]
    with pytest.raises(TwinError, match=said) as refused:
        choose(**{key: value for key, value in (GOOD | words).items() if value is not None})
    assert str(refused.value).startswith("sampling, ")
    assert "\n" not in str(refused.value)


OTHER = [
    ("sunitinib", "fatigue", "one of 4 ordered classes, which depends on the one before"),
    ("pembrolizumab", "mutant_fragments", "a count, negative binomial"),
    ("type1_diabetes_replaybg", "free_living_glucose", "correlated over"),
]


@pytest.mark.parametrize(("model", "measure", "words"), OTHER)
def test_errors_that_are_not_normal_and_independent_are_refused(model, measure, words):
    model = twin.load_model(model)
    dose = {"once": None}
    with pytest.raises(
        TwinError, match=rf"measure: the error of '{measure}' \(.*{words}.*\) is not normal \(or log-no"
    ):
        twin.optimal_sampling(model, ANA, dose, measure=measure, fixed=[1])


def test_several_regimens_need_one_that_is_fixed():
    arms = {"one": "1 mg", "other": {"start": "1 mg q24h x3", "feedback": {
        "measure": "amount", "at": {"dose": "each"}, "rules": [{"dose": "same"}]}}}  # fmt: skip
    with pytest.raises(TwinError, match="regimen: say under which of the regimens: one, other"):
        choose(regimens=arms, **GOOD)
    with pytest.raises(TwinError, match="regimen 'other' reacts to what is measured"):
        choose(regimens=arms, regimen="other", **GOOD)


def test_a_measurement_without_error_is_refused():
    with pytest.raises(TwinError, match="at 0 h 'level' is 0, and so is the error of measuring it; leave it out"):
        choose(Warfarin(), {"once": "70 mg"}, measure="level", fixed=[0, 1, 2, 4], windows=[])
