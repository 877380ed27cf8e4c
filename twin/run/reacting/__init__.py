"""Regimens that react: who decides (`controller`), on what (`epochs`), and from one to the next (`loop`)."""
