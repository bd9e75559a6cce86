"""Successive halving: brackets of rungs, synchronous and asynchronous."""
