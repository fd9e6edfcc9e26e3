"""Rehearsals of operations on real processes: commands of their own, whose figures are in the documentation."""
