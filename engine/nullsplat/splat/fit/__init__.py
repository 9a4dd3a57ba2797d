"""How a field is fitted to residual projections."""
