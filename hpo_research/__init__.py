"""A batch-parallel research toolkit for hyperparameter optimisation."""
