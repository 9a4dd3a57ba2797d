"""`nullsplat presets`: what each preset costs and gives."""

from rich.console import Console
from rich.table import Table

from nullsplat.core.preset_facts import CUBIC, DEFAULT, MACHINE, PRESET_FACTS, VOLUME

COLUMNS = ("preset", "time", "PSNR", "over cubic", "PSNR, 15 HU of noise")


def presets() -> None:
    """Show what each preset costs and gives."""
    table = Table(*COLUMNS, box=None, header_style="bold")
    for name, facts in PRESET_FACTS.items():
        times = facts.seconds / PRESET_FACTS[DEFAULT].seconds
        table.add_row(
            name,
            f"{facts.seconds:.0f} s ({times:.1f}x)",
            f"{facts.psnr:.2f} dB",
            f"{facts.psnr - CUBIC[0]:+.2f} dB",
            f"{facts.psnr_noisy:.2f} dB",
        )
    console = Console(highlight=False)
    console.print(table)
    for name, facts in PRESET_FACTS.items():
        console.print(f"\n[bold]{name}[/]: {facts.purpose}")
        console.print(f"Stage 1 refines {facts.prior}, {facts.evaluations} network evaluation(s) each.")
    console.print(
        f"\nMeasured on {VOLUME}; {MACHINE}. Cubic interpolation: {CUBIC[0]} dB, with noise {CUBIC[1]} dB."
    )
