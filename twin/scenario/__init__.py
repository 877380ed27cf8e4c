"""Scenarios: a question about treatment in one YAML file, read, checked and built."""

from .scenario import Check, Scenario, check, load_scenario

__all__ = [
    "Check",
    "Scenario",
    "check",
    "load_scenario",
]
