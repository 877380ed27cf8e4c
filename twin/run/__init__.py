"""Running: from patients, regimens and settings to compiled programs and their results."""
