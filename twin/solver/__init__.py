"""Solvers: one model definition, advanced exactly where it is linear and adaptively where it is not."""
