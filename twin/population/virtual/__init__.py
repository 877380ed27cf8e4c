"""Virtual populations: persons drawn from distributions, tables, copulas, genotypes or a cohort's twins."""

from .population import People, Population

__all__ = ["People", "Population"]
