"""A thick and a thin reconstruction of one scan, and what they tell about the scanner."""
