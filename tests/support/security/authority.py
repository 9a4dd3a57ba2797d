"""Certificates as scripts/tls_example.sh makes them, and what is made from them for DICOM."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "tls_example.sh"


@dataclass(frozen=True)
class Authority:
    """A folder of certificates.

    Attributes:
        folder: ca.crt, and certificate and key of each part.
    """

    folder: Path

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.crt"

    def certificate(self, who: str) -> Path:
        return self.folder / f"{who}.crt"

    def key(self, who: str) -> Path:
        return self.folder / f"{who}.key"

    def client(self, trusted: "Authority | None" = None) -> ssl.SSLContext:
        """A scanner or PACS that connects: shows this authority's certificate, trusts `trusted` (itself by default)."""
        context = ssl.create_default_context(cafile=(trusted or self).ca_file)
        context.load_cert_chain(self.certificate("pacs"), self.key("pacs"))
        return context

    def server(self, trusted: "Authority | None" = None) -> ssl.SSLContext:
        """A PACS that is connected to, and wants to see a certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=(trusted or self).ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.certificate("pacs"), self.key("pacs"))
        return context


def example_authority(folder: Path) -> Authority:
    """An authority of its own, for 127.0.0.1."""
    subprocess.run([SCRIPT, folder], check=True)
    return Authority(folder)
