"""Checks of a model, and of a calibration: replicates, forecasts, simulation-based calibration."""
