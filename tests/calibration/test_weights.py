"""Effective draws say how well a tail is known, where the weights as a whole look well."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from calibration.method.importance import DEGREES, around
from calibration.method.modes import Modes
from calibration.method.pareto import effective_draws, effective_tails, smooth


def test_equal_weights_are_worth_their_number():
    u = np.random.default_rng(0).standard_normal((2, 4000, 3))
    np.testing.assert_allclose(effective_tails(u, np.full((2, 4000), 1 / 4000)), 4000, rtol=1e-3)


def test_a_thin_tail_of_the_guess_is_told():
    """A guess that is too narrow and to the left: 200 repetitions know the 95 % quantile as 210 draws would.

    The 95 % of them is known by a tenth, as is the figure that is told (its own spread is a third): a factor of two.
    """
    u = -0.5 + 0.8 * np.random.default_rng(0).standard_normal((200, 4000))
    weights, k = smooth(-0.5 * u**2 + 0.5 * ((u + 0.5) / 0.8) ** 2)
    order = np.argsort(u, axis=1)
    shares = np.cumsum(np.take_along_axis(weights, order, 1), 1)
    highest = [np.interp(0.95, c, x) for c, x in zip(shares, np.take_along_axis(u, order, 1), strict=True)]
    known_as = 0.05 * 0.95 / np.var(scipy.stats.norm.cdf(highest))
    told = np.median(effective_tails(u[..., None], weights))
    assert np.median(k) < 0.7, "k-hat believes it"
    assert told == pytest.approx(known_as, rel=1.0)
    assert np.median(effective_draws(weights)) > 5 * known_as, "and as a whole the weights look like many more"


def test_every_guess_reaches_as_far_as_the_prior():
    """However narrow a mode looks, a tenth of the draws are spread as the prior, with the tails of Student's t."""
    flat = np.ones((1, 1), bool)
    narrow = Modes(np.full((1, 1, 2), 1.5), np.zeros((1, 1)), 1e-4 * np.eye(2)[None, None], flat, flat[:, 0])
    u = np.random.default_rng(0).standard_normal((1, 500, 2)) * 2
    before = scipy.stats.multivariate_t(np.zeros(2), np.eye(2), DEGREES).logpdf(u[0])
    assert (around(narrow).log_density(u)[0] >= np.log(0.1) + before - 1e-12).all()
