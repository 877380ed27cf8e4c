"""When to measure: which times tell most about a patient, or about a population."""
