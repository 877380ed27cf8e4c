"""Individuals: drawn from a model's declared spread, keyed by patient and draw; and virtual populations of them."""
