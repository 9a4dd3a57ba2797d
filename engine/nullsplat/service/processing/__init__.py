"""The image processing as the service sees it."""
