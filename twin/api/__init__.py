"""The front doors: simulate, solve, solve_many."""
