"""A prior across slab thicknesses: a slice is a thin slab, a projection one as thick as the body."""
