"""Signed Gaussians: field, kernels, strategy, and the fit to residual projections."""
