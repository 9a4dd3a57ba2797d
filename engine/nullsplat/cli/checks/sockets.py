"""TCP ports of this machine that are open on all network interfaces, according to the kernel."""

from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTENING = "0A"
ANYWHERE = {"00000000", "0" * 32}


def ports_open_everywhere(tables: tuple[Path, ...] = TABLES) -> set[int]:
    """Ports on which a program listens on all interfaces; empty where there is no such table.

    Source: proc_pid_net(5), /proc/net/tcp: address and port in hexadecimal, then the state.
    """
    found = set()
    for table in tables:
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            _, local, _, state, *_ = line.split()
            address, _, port = local.partition(":")
            if state == LISTENING and address in ANYWHERE:
                found.add(int(port, 16))
    return found
