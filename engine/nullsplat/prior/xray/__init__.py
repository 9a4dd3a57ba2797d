"""The paper's prior: a diffusion model of X-ray images that refines projections, and what it learns from."""
