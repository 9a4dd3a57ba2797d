"""Degradation with its exact pseudo-inverse, the parallel-beam projector, and null-space algebra."""
