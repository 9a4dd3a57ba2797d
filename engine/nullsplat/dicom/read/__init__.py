"""A series in, as a volume, or a named refusal."""
