"""Regret beside rivals: problems that are not ours, searches of others, records and their table."""
