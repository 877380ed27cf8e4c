"""Looks at a trial while it runs: bounds, what they cost, and what may be said after a stop."""
