"""How fast the engine's parts are on this machine, as ratios to references that were timed in the same run."""
