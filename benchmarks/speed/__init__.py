"""How fast the core is beside its rivals: `python -m benchmarks.speed`.

`rows` is the table of targets, `growth` how the cost of an ask grows, `profiled` where its time
goes; `record` keeps what was measured and writes `benchmarks/RESULTS.md` from it.
"""
