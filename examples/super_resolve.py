"""Super-resolve a DICOM folder, a NIfTI or an NRRD file, and write maps of what was not measured and of how much samples differ.

python examples/super_resolve.py scans/chest chest-sr.nii.gz --scale 4 --samples 2
"""

import argparse
from pathlib import Path

import nullsplat as ns


def main() -> None:
    """Read, super-resolve, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("target", type=Path)
    parser.add_argument("--scale", default="4", help="4 for slices alone, iso2 or 2,2,2 for all axes")
    parser.add_argument("--samples", type=int, default=1)
    options = parser.parse_args()

    resolver = ns.SuperResolver.from_preset("preview", scale=options.scale, samples=options.samples)
    result = resolver(ns.read(options.source))

    ns.write(result.volume, options.target)
    ns.write(result.null_space(), options.target.with_name(f"null-space-{options.target.name}"))
    if result.deviation is not None:
        ns.write(result.deviation, options.target.with_name(f"deviation-{options.target.name}"))
    print(result)


if __name__ == "__main__":
    main()
