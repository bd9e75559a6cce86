"""Measurements: rivals in the same run, and the slow claims that `make evidence` records."""
