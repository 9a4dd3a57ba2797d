"""Parallel projections of a volume and their transpose, by Joseph's method."""
