"""Trust in one certificate that is known, as a program has in the engine beside it."""

import ssl
from pathlib import Path


def trust_exactly(certificate: Path) -> ssl.SSLContext:
    """Trust in this certificate (PEM, with its chain), whatever name it is made for.

    Raises:
        OSError: the file cannot be read, or holds no certificate (`ssl.SSLError`).
    """
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
