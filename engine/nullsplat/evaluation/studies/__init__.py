"""Studies of one stage alone."""
