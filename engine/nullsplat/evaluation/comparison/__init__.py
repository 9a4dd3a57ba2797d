"""Every volume, degraded in every way, reconstructed by every method: cases, statistics, tables, plots."""
