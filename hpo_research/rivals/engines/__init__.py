"""The optimisers, a module a library: it imports that library, and of this package `engines` alone.

So each runs in this process as well as in an environment where this package is not installed.
"""
