"""What `nullsplat doctor` checks."""
