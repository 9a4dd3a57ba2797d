"""What a field of signed Gaussians is, where it lies, on disk and on a grid."""
