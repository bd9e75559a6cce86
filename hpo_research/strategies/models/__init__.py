"""What strategies fit to runs: inputs, models, and batches chosen by them."""
