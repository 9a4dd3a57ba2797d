"""The demonstration: a scan goes through a whole node, and the result is compared with the truth."""
