"""Checkpoints of the method's authors, in OpenAI's layout, as priors of this package."""
