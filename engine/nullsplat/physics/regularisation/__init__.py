"""The base: what total variation and the measurement give without learning."""
