"""Strategies: frozen options and one pure `ask`."""
