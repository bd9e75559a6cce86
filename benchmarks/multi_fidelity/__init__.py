"""Other people's multi-fidelity searches beside ours, on the recorded tables, in one simulation."""
