"""How a trajectory ended."""

from __future__ import annotations


class Status:
    """How a trajectory ended; anything but OK is counted and never averaged."""

    OK = 0
    STEP_LIMIT = 1
    NOT_FINITE = 2
    NO_PATIENT = 3
    STIFF = 4  # only inside: an explicit method gave up, and the course is solved again by the stiff one
    NO_STEADY_STATE = 5  # asked for one, where nothing settles
    meanings = ("ok", "step_limit", "not_finite", "no_admissible_patient", "stiff", "no_steady_state")
