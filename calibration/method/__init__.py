"""The rungs of the ladder: each takes a target and gives draws of its unknowns, with what tells their worth."""
