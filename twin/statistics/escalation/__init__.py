"""Dose escalation: rules that choose the next dose of a phase I trial, and what comes of them."""
