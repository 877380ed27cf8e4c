"""Calibration: a patient's data and a model's declared spread -> a posterior for that patient.

This package sits between `twin`, which it imports, and `cli`, which imports it. It is where priors,
likelihoods, the ladder of inference methods and their diagnostics live. What it builds on is in `twin`:
each parameter's spread as a map from a standard normal (`twin.variability`), residual models
(`twin.noise`), a patient's observations (`BoundPatient.observations`) and `twin.solve`, which is
differentiable.
"""
