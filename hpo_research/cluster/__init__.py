"""Shards of an experiment, wherever they ran: found, merged as one store, started by a cluster.

What is wanted is imported from its module.
"""
