"""NullSplat: zero-shot CT super-resolution by null-space diffusion and signed Gaussian splatting.

For research use only; not a medical device.
"""

from importlib.metadata import version

__version__ = version("nullsplat")
