"""A prior of blocks of neighbouring slabs, which is told its task and sees its own first answer."""
