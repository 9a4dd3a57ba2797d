"""A soak run: the whole node, good and bad series, and everything it stands on failing at random."""
