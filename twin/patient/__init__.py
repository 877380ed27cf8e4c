"""Patients: as their author wrote them, in a file or in Python, and as the engine takes them."""

from .bound import BoundPatient, Measured
from .patient import Chances, Change, DoseRecord, Observation, Patient, Series, Value, When, load_patient

__all__ = [
    "BoundPatient",
    "Chances",
    "Change",
    "DoseRecord",
    "Measured",
    "Observation",
    "Patient",
    "Series",
    "Value",
    "When",
    "load_patient",
]
