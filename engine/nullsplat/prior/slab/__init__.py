"""A prior of slabs one voxel thick, each refined on its own and from each axis on its own."""
