"""One regular stack of slices out of positions and directions, or the reason why there is none."""
