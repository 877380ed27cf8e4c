"""How well a fitted population stands up: predictions, residuals, replicated data, influence, and other models.

    found = fit.diagnose()
    found.residuals, found.vpc(corrected=True), found.influence, found.surprises
    compare({"one": one, "two": two}); average({"one": one, "two": two}).forecast(patients, {"concentration": [48]})

Those two and `likelihood_ratio` are in `compare` and `average`, which know what a fit is.
"""
