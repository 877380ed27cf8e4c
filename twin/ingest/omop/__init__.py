"""OMOP CDM v5.4: tables in a folder (CSV, Parquet) or in a database -> charts of a cohort.

    charts, report = omop.read("cdm/", cohort=[1, 2, 3])
    charts, report = omop.read(connection, cohort="SELECT person_id FROM person WHERE year_of_birth < 1960")

Only the cohort's rows are read, and nothing is ever written.
"""

from .reader import read

__all__ = ["read"]
