"""Training many small networks: one batch against a plain loop and `torch.func.vmap`."""
