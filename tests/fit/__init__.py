"""Fits of populations: published cases, an independent reference, and tests against both."""
