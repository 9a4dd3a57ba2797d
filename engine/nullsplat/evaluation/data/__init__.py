"""What is evaluated: public and own volumes, and how they are degraded."""
