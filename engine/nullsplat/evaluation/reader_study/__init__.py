"""A blinded comparison by human readers."""
