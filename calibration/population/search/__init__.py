"""Which covariates explain differences between patients, asked of a fit's stored draws: nothing is solved.

found = search_covariates(fit, covariates=["weight", "age", "sex"])
found.table()                 # effect, change of -2 log likelihood, how often chosen, shrunken coefficient
"""

from .search import Candidate, Found, find_candidates, search_covariates

__all__ = ["Candidate", "Found", "find_candidates", "search_covariates"]
