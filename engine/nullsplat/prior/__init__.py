"""Stage 1: a diffusion model of 2D X-rays, held to the measured projections in its range space."""
