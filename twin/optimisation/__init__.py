"""Choosing a treatment: candidates tried on the same individuals, and the winner judged on others."""
