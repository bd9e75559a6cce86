"""Other people's optimisers as strategies: `rival("optuna-tpe")` beside `Bayesian()`.

- `catalogue` says which there are; `registry` makes one and lists them.
- `strategy` is the frozen `Rival`; its `ask` is pure, since `conversation` reads from the run what
  its optimiser was asked and told, and in which order.
- `live` keeps optimisers between asks, and makes those again that are not there.
- `axes` says to an optimiser what a space is.
- `engines/` has a short module a library: one `Engine` each, which runs in this process, or where
  its package needs an environment of its own (`environments`) in a process there (`elsewhere`).
"""
