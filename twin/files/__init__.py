"""Scenario and patient files: read with their lines, checked against closed schemas, bound to a model."""
