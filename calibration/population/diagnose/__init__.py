"""How well a fitted population stands up: predictions, residuals, replicated data, influence, and other models."""
