"""Physiology and pharmacology that several models share."""
