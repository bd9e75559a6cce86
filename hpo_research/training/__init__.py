"""Small networks trained as one batch: tensors only."""
