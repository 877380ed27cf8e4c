"""Bayesian adaptation: which arm is probably best, who is allotted what, which arms are dropped, when a trial stops."""
