"""One trajectory by diffrax: what the ensemble engine cannot solve, and what it is compared with."""
