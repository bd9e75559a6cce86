"""Executors: where segments are trained."""
