"""Importance sampling: draws from a heavy-tailed guess, weighted by how much the posterior favours them.

The guess is a mixture of Student's t, one at each mode, or one that weighted draws are fitted by. Its k-hat says
whether the weights can be believed; where it is high, the guess is fitted anew to the weighted draws.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from ..parallel import each
from ..target import Target
from .modes import Modes
from .pareto import effective_draws, effective_tails, resample, smooth
from .ridges import PLACES, Ridge

DRAWS = 2048  # proposed a round and patient, at least
ROUNDS = 10
DEGREES = 5.0  # of freedom: tails that reach past those of a posterior
_WIDER = 1.15  # the guess than the curvature at a mode says
_LOOSER = 1.5  # and than weighted draws say
_WIDEST, _TAILS = 1.9, 0.4  # and the part of it that reaches the tails
_REACH, _BROAD = 0.2, 1.5  # share of the wide part of a fitted guess, and how much wider it is
_BEFORE = 0.1  # share of the prior in a guess: no weight can then be larger than ten times its likelihood
_SPARE = 2  # parts of a guess that are those
_HARD = 0.1  # effective draws a draw: of fewer in the first round, ridges are looked for
_RIDGE, _ALONG = 0.5, 1.3  # their share of a guess, and how much wider than their curvature says
_HOPELESS = 10.0  # in log weight: modes that are left out
_GOOD, _PLENTY = (
    0.5,
    200.0,
)  # a k-hat and effective draws that another round need not better; who asks for more draws ...
_WORTH = 0.1  # ... gets more: effective draws, a draw of the first round
_LARGEST = 32  # times as many draws as the first round has
_HELD = 16  # patients whose draws are held together: large rounds of all at once would fill the memory


@dataclasses.dataclass(frozen=True)
class Guess:
    """A mixture of Student's t a patient: (patient, part), (patient, part, unknown), (..., unknown, unknown)."""

    share: np.ndarray
    centre: np.ndarray
    root: np.ndarray  # lower triangular

    def of(self, which: np.ndarray) -> Guess:
        """That of some of the patients."""
        return Guess(self.share[which], self.centre[which], self.root[which])

    def draw(self, count: int, generators: list[np.random.Generator]) -> np.ndarray:
        """(patient, draw, unknown)."""
        size, found = self.centre.shape[-1], []
        for i, generator in enumerate(generators):
            z = generator.standard_normal((count, size))
            stretch = np.sqrt(DEGREES / generator.chisquare(DEGREES, count))
            comb = (np.arange(count) + generator.uniform()) / count
            part = np.minimum(np.searchsorted(np.cumsum(self.share[i]), comb), self.share.shape[1] - 1)
            u = np.empty_like(z)
            for m in np.unique(part):
                own = slice(*np.searchsorted(part, (m, m + 1)))  # the comb rises
                u[own] = self.centre[i, m] + stretch[own, None] * (z[own] @ self.root[i, m].T)
            found.append(u)
        return np.stack(found)

    def log_parts(self, u: np.ndarray) -> np.ndarray:
        """The log density of each part times its share (part, patient, draw)."""
        size, parts = u.shape[-1], self.share.shape[1]
        constant = math.lgamma((DEGREES + size) / 2) - math.lgamma(DEGREES / 2)
        constant -= 0.5 * size * math.log(DEGREES * math.pi)
        with np.errstate(divide="ignore"):
            scale = np.log(self.share) + constant - np.log(np.einsum("psii->psi", self.root)).sum(-1)
        straight = np.linalg.inv(self.root)
        found = np.full((parts, *u.shape[:2]), -np.inf)

        def one(place: tuple[int, int]) -> None:
            m, i = place
            away = (u[i] - self.centre[i, m]) @ straight[i, m].T
            found[m, i] = scale[i, m] - (DEGREES + size) / 2 * np.log1p(np.einsum("di,di->d", away, away) / DEGREES)

        each(one, list(zip(*np.nonzero(self.share.T > 0), strict=True)))
        return found

    def log_density(self, u: np.ndarray) -> np.ndarray:
        """(patient, draw)."""
        return _total(self.log_parts(u))


@dataclasses.dataclass(frozen=True)
class Weighted:
    """Draws of each patient with normalised weights, and what tells their worth."""

    u: np.ndarray  # (patient, draw, unknown)
    height: np.ndarray  # log posterior (patient, draw)
    weights: np.ndarray
    k: np.ndarray
    effective: np.ndarray  # draws, by the weights as a whole
    tail: np.ndarray  # effective draws where 5 and 95 % of the worst unknown lie
    evidence: np.ndarray  # log of the data's density, whatever the unknowns are (patient,)
    rounds: np.ndarray

    @property
    def worth(self) -> np.ndarray:
        """Effective draws where they are fewest (patient,)."""
        return np.minimum(self.effective, self.tail)

    def of(self, which: np.ndarray) -> Weighted:
        """Some of the patients."""
        return Weighted(**{name: values[which] for name, values in vars(self).items()})

    def but(self, which: np.ndarray, found: Weighted) -> Weighted:
        """The same with what was found of some patients in the place of what there was."""
        whole = {name: values.copy() for name, values in vars(self).items()}
        for name, values in vars(found).items():
            whole[name][which] = values
        return Weighted(**whole)

    def thin(self, count: int, generators: list[np.random.Generator]) -> Weighted:
        """So many draws of equal weight in the place of more."""
        if self.u.shape[1] == count:
            return self
        places = resample(self.weights, count, generators=generators)
        kept = {name: np.take_along_axis(getattr(self, name), places, axis=1) for name in ("height", "weights")}
        u = np.take_along_axis(self.u, places[..., None], axis=1)
        return dataclasses.replace(self, u=u, height=kept["height"], weights=np.full_like(kept["weights"], 1 / count))


def _total(logs: np.ndarray) -> np.ndarray:
    """The logarithm of the sum over parts, the first axis."""
    top = logs.max(0)
    return top + np.log(np.exp(logs - top).sum(0))


def around(modes: Modes) -> Guess:
    """The guess that the modes make: each about as wide as its curvature says, and once more wider, for tails.

    A mode weighs as much as its volume.
    """
    root = np.linalg.cholesky(modes.covariance)
    volume = np.log(np.einsum("psii->psi", root)).sum(-1)
    logs = np.where(modes.distinct, modes.height + volume, -np.inf)
    logs[:, 0] = modes.height[:, 0] + volume[:, 0]  # the best one counts, settled or not
    logs -= logs.max(1, keepdims=True)
    # a lesser mode may be broader than it looks, one that is far below is none
    share = np.where(logs > -_HOPELESS, np.maximum(np.exp(logs), 0.02), 0.0)
    share /= share.sum(1, keepdims=True)
    both = ((1 - _TAILS) * share, _TAILS * share), (modes.u, modes.u), (_WIDER * root, _WIDEST * root)
    return _with_room(Guess(*(np.concatenate(pair, axis=1) for pair in both)))


def fit_guess(u: np.ndarray, weights: np.ndarray) -> Guess:
    """The guess that weighted draws make: where they are, and the same place three times wider."""
    centre, root = _moments(u, temper(weights, u.shape[-1]))
    centres, roots = np.stack([centre, centre], 1), np.stack([root, 1.7 * root], 1)
    return _with_room(Guess(np.tile([0.7, 0.3], (len(u), 1)), centres, roots))


def _with_room(guess: Guess) -> Guess:
    """The same with two parts more: a place for the wide one, and the prior, so that what lies far out is seen at all.

    (A defensive mixture: Hesterberg 1995, Technometrics 37:185.)
    """
    size = guess.centre.shape[-1]
    share, centre, root = (np.repeat(x[:, :1], _SPARE, axis=1) for x in (0 * guess.share, guess.centre, guess.root))
    share[:, -1], centre[:, -1], root[:, -1] = _BEFORE, 0.0, np.eye(size)
    both = ((1 - _BEFORE) * guess.share, share), (guess.centre, centre), (guess.root, root)
    return Guess(*(np.concatenate(pair, axis=1) for pair in both))


def sample(
    target: Target, guess: Guess, generators: list[np.random.Generator], *,
    ridges: Callable[[np.ndarray], Ridge] | None = None, draws: int = DRAWS, rounds: int = ROUNDS,
) -> tuple[Weighted, list[Guess]]:  # fmt: skip
    """Weighted draws of every patient, from as many rounds as each needs, the first from this guess; the last guesses.

    `ridges` looks for those of some patients; it is asked once, of whom the first round finds hard.
    """
    groups = [np.arange(i, min(i + _HELD, len(target))) for i in range(0, len(target), _HELD)]
    each = [
        _rounds(target, who, guess.of(who), [generators[i] for i in who], ridges=ridges, draws=draws, rounds=rounds)
        for who in groups
    ]
    names = vars(each[0][0])
    joined = Weighted(**{name: np.concatenate([getattr(found, name) for found, _ in each]) for name in names})
    return joined, [one for _, guesses in each for one in guesses]


def _rounds(
    target: Target, who: np.ndarray, guess: Guess, generators: list[np.random.Generator], *,
    ridges: Callable[[np.ndarray], Ridge] | None, draws: int, rounds: int,
) -> tuple[Weighted, list[Guess]]:  # fmt: skip
    """Each round of those who need another is twice as large as the one before, up to _LARGEST times the first."""
    found = last = _round(target, guess, who, generators, draws)
    poor = np.arange(len(who))
    guesses = [guess.of(poor[i : i + 1]) for i in poor]
    for turn in range(2, rounds + 1):
        hard = (found.effective < _HARD * draws) & (turn == 2)
        left = np.flatnonzero(_needs_more(found, draws) | hard)
        if not len(left):
            break
        poor, found, guess = poor[left], found.of(left), guess.of(left)
        guess = refit(guess, found.u, found.weights)
        if ridges is not None and hard.any():
            guess = _with_ridge(guess, ridges(who[poor[hard[left]]]), hard[left])
        # the new round is taken as it comes: the best of several would be the one that happened to miss the tails
        more = int(proposal_size(draws, np.array(turn)))
        found = _round(target, guess, who[poor], [generators[i] for i in poor], more, turn)
        last = last.but(poor, found.thin(draws, [generators[i] for i in poor]))
        for place, i in enumerate(poor):
            guesses[i] = guess.of(np.array([place]))
    return last, guesses


def _with_ridge(guess: Guess, ridge: Ridge, hard: np.ndarray) -> Guess:
    """The same with parts along the ridges of those who are hard; the others' have no share."""
    size = guess.centre.shape[-1]
    share = np.zeros((len(hard), PLACES))
    centre = np.zeros((len(hard), PLACES, size))
    root = np.tile(np.eye(size), (len(hard), PLACES, 1, 1))
    root[hard] = _ALONG * np.linalg.cholesky(ridge.covariance)
    centre[hard] = ridge.u
    logs = np.where(ridge.real, ridge.height + np.log(np.einsum("psii->psi", root[hard])).sum(-1), -np.inf)
    any_real = ridge.real.any(1)
    logs = np.exp(logs - np.where(any_real, logs.max(1, initial=-np.inf, where=ridge.real), 0.0)[:, None])
    some = np.where(ridge.real, np.maximum(logs, 0.05), 0.0)
    share[hard] = np.where(any_real, _RIDGE, 0.0)[:, None] * some / np.maximum(some.sum(1, keepdims=True), 1e-30)
    kept = guess.share * (1 - share.sum(1, keepdims=True))
    both = (share, kept), (centre, guess.centre), (root, guess.root)
    return Guess(*(np.concatenate(pair, axis=1) for pair in both))


def proposal_size(draws: int, rounds: np.ndarray) -> np.ndarray:
    """How many draws the last of so many rounds proposed."""
    return draws * np.minimum(2 ** (rounds - 1), _LARGEST)


def _needs_more(found: Weighted, draws: int) -> np.ndarray:
    """Which patients another round could serve."""
    return (found.k > _GOOD) | (found.worth < max(_PLENTY, _WORTH * draws))


def _round(
    target: Target,
    guess: Guess,
    who: np.ndarray,
    generators: list[np.random.Generator],
    draws: int,
    turn: int = 1,
) -> Weighted:
    u = guess.draw(draws, generators)
    height = target.evaluate(u, who)
    logs = height - guess.log_density(u)
    weights, k = smooth(logs)
    top = logs.max(1)
    evidence = top + np.log(np.mean(np.exp(logs - top[:, None]), 1)) - 0.5 * u.shape[-1] * math.log(2 * math.pi)
    worth = effective_draws(weights), effective_tails(u, weights)
    return Weighted(u, height, weights, k, *worth, evidence, np.full(len(who), turn))


def refit(guess: Guess, u: np.ndarray, weights: np.ndarray) -> Guess:
    """Each part moved to its share of the weight, and one wide part over everything (population Monte Carlo)."""
    weights = temper(weights, u.shape[-1])
    logs = guess.log_parts(u)
    whose = np.exp(logs - _total(logs))  # (part, patient, draw)
    share, centres, roots = guess.share.copy(), guess.centre.copy(), guess.root.copy()
    for m in range(share.shape[1] - _SPARE):
        own = weights * whose[m]
        share[:, m] = own.sum(1)
        own /= np.maximum(share[:, m], 1e-30)[:, None]
        # to tell a covariance; a part of next to no share stays as it is
        enough = (effective_draws(own) > 2.0 * (u.shape[-1] + 1) + 10) & (share[:, m] > 1e-12)
        centre, root = _moments(u, own)
        centres[enough, m], roots[enough, m] = centre[enough], root[enough]
    share[:, -_SPARE:] = 0.0
    share *= (1 - _REACH - _BEFORE) / share.sum(1, keepdims=True)
    centre, root = _moments(u, weights)
    share[:, -2], centres[:, -2], roots[:, -2] = _REACH, centre, _BROAD * root
    share[:, -1], centres[:, -1], roots[:, -1] = _BEFORE, 0.0, np.eye(u.shape[-1])
    return Guess(share, centres, roots)


def temper(weights: np.ndarray, size: int) -> np.ndarray:
    """Weights flattened until enough draws count, so that one heavy draw does not pull everything to itself."""
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    logs = np.where(np.isfinite(logs), logs, -1e4)
    power = np.ones(len(weights))
    for _ in range(30):
        flat = np.exp(power[:, None] * (logs - logs.max(1, keepdims=True)))
        flat /= flat.sum(1, keepdims=True)
        few = effective_draws(flat) < 4.0 * (size + 1) + 20
        if not few.any():
            break
        power = np.where(few, power * 0.8, power)
    return flat


def _moments(u: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres and lower roots of weighted draws."""
    size = u.shape[-1]
    centre = (weights[:, None] @ u)[:, 0]
    away = u - centre[:, None]
    spread = np.swapaxes(away, 1, 2) @ (weights[..., None] * away)
    spread += (1e-6 * np.einsum("pii->p", spread)[:, None, None] / size + 1e-12) * np.eye(size)
    return centre, np.linalg.cholesky(spread) * _LOOSER


def draw_equal(found: Weighted, count: int, generators: list[np.random.Generator]) -> np.ndarray:
    """`count` draws of equal weight (patient, draw, unknown)."""
    places = resample(found.weights, count, generators=generators)
    return np.take_along_axis(found.u, places[..., None], axis=1)
