"""How fast the core is beside its rivals: `python -m benchmarks.speed`.

`rows` is the table of targets, `growth` how the cost of an ask grows, `profiled` where its time
goes; `page` keeps what was measured and makes the tables of `benchmarks/RESULTS.md`.
"""
