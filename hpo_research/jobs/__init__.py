"""Jobs: programs that train, each in a process group of its own, and what they print.

`Order` says what a job is to do; `arguments` makes one of a configuration. `Jobs` runs them: its
keeper, a small process of its own (`keeper.py`), starts them, ends them with all that they have
started, and does not outlive this one. A job writes into its log itself, so that it never waits for
us; a thread follows the logs, through `Lines`, which makes lines of bytes, and `Metrics`, which
makes values of lines.
"""
