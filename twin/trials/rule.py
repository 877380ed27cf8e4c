"""The rule of a dose escalation."""

from __future__ import annotations

from ..statistics.escalation.boin import Boin
from ..statistics.escalation.crm import Crm
from ..statistics.escalation.rule import EscalationRule
from ..statistics.escalation.three_plus_three import ThreePlusThree
from .design import Design


def rule_of(design: Design) -> EscalationRule:
    how = design.escalate
    assert how is not None
    if how.rule == "3+3":
        return ThreePlusThree(len(design.arms))
    if how.rule == "boin":
        return Boin(len(design.arms), how.target)
    assert how.skeleton is not None
    return Crm(how.skeleton, how.target)
