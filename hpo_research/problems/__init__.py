"""Problems: what there is to optimise."""
