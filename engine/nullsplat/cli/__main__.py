"""`python -m nullsplat.cli` is the `nullsplat` command."""

from nullsplat.cli.main import main

if __name__ == "__main__":
    main()
