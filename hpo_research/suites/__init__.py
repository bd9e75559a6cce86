"""Suites: named sets of problems, each with a declared budget, stored baselines and a data card."""
