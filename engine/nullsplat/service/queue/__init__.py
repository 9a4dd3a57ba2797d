"""What API and workers share: jobs, their order, and which workers are alive."""
