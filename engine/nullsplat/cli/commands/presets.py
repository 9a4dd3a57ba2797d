"""`nullsplat presets`: what each preset costs and gives."""


def presets() -> None:
    """Show what each preset costs and gives."""
    from nullsplat.cli.work.presets import show  # noqa: PLC0415 - commands import nothing of the engine

    show()
