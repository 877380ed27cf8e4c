"""Kinetics of no drug in particular, to be fitted to a new one: a file a model, and no paper behind them."""
