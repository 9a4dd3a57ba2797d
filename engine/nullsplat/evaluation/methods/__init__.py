"""What is compared: baselines, the engine's presets, and methods of other packages."""
