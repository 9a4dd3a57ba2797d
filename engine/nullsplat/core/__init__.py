"""What every layer shares: volumes and their geometry, units, errors, seeds, devices, progress."""
