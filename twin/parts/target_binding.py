"""A drug that binds its target: the quasi-steady-state part of target-mediated disposition, for antibodies.

Binding is taken to be fast, so that free drug and complex follow from the totals at once (Gibiansky 2008):

    bound = quasi_steady(y.drug / p.volume, y.pcsk9, p.half_binding)
    drug = absorbed - bound.drug_loss(clearance=p.clearance, internalisation=p.internalisation, volume=p.volume)
    pcsk9 = bound.target_rate(turnover=p.turnover, baseline=p.pcsk9_before, internalisation=p.internalisation)
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp

from ..types import Scalar


class Bound(eqx.Module):
    """Concentrations of a drug and its target, in one molar unit."""

    free_drug: Scalar
    complex: Scalar
    free_target: Scalar

    def drug_loss(self, *, clearance: Scalar, internalisation: Scalar, volume: Scalar) -> Scalar:
        """Amount of drug lost a time: free drug by clearance, bound drug with its target."""
        return clearance * self.free_drug + internalisation * self.complex * volume

    def target_rate(self, *, turnover: Scalar, baseline: Scalar, internalisation: Scalar) -> Scalar:
        """Rate of the total target: made as without drug, lost at `turnover` when free, with the drug when bound."""
        return turnover * (baseline - self.free_target) - internalisation * self.complex


def quasi_steady(total_drug: Scalar, total_target: Scalar, half_binding: Scalar) -> Bound:
    """Free drug, complex and free target from the totals; `half_binding` is (koff + kint) / kon.

    Free drug is the positive root of L^2 - a L - K Ltot = 0 with a = Ltot - Rtot - K. The larger of its two roots
    in size has no cancellation; the other is their product, -K Ltot, over it. Either is never 0, so nothing here
    divides by it, and values and slopes stay finite with no drug, no target, or far more of one.
    """
    excess = total_drug - total_target - half_binding
    in_excess = excess >= 0
    size = jnp.where(in_excess, excess, -excess)
    product = half_binding * total_drug
    larger = (size + jnp.sqrt(excess * excess + 4 * product)) / 2
    free = jnp.where(in_excess, larger, product / larger)
    share = half_binding / (half_binding + free)  # of the target that is free
    return Bound(free, total_target * free / (half_binding + free), total_target * share)
