"""Trials: persons drawn from a population, allocated, visited, lost and analysed, many whole trials at once."""
