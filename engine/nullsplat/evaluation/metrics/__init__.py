"""How close a result is to the truth, and to the measurement."""
