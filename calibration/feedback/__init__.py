"""Choosing doses by what readings say of a patient, within a course: what `twin.simulate(..., choose=)` is handed."""

from .dose import choose_dose

__all__ = ["choose_dose"]
