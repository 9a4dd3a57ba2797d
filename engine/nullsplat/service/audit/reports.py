"""The audit repository's side of the log: each entry becomes a message, and no trouble with it reaches whoever wrote the entry."""

import logging
import ssl
from datetime import datetime
from typing import Self

from pydicom.errors import InvalidDicomError

from nullsplat.core.errors import ConfigurationError
from nullsplat.service.audit.entry import Entry
from nullsplat.service.audit.message import SUCCESS, Reporter, audit_message, outcome
from nullsplat.service.audit.syslog import Repository, SyslogSender, syslog_frame
from nullsplat.service.audit.transfer import Images, Transfer
from nullsplat.service.settings import PREFIX, Settings, host_name

logger = logging.getLogger(__name__)


class Reports:
    """Sends what the audit log says to an audit repository."""

    def __init__(self, reporter: Reporter, sender: SyslogSender) -> None:
        """Report in the name of `reporter`."""
        self._reporter = reporter
        self._sender = sender

    @classmethod
    def of(cls, settings: Settings, who: str) -> Self | None:
        """As the settings say; None where they name no repository.

        Raises:
            ConfigurationError: the certificates cannot be used.
        """
        if settings.audit_repository is None:
            return None
        host, port = settings.audit_repository
        repository = Repository(host, port, _context(settings))
        return cls(Reporter(who, host_name(), settings.archive_url), SyslogSender(repository))

    def send(self, entry: Entry, when: datetime, images: Images | None) -> None:
        """Send a message soon.

        Args:
            when: when it happened.
            images: that were transferred by it.
        """
        transfer = None if images is None else _looked_at(images)
        text = audit_message(entry, when, self._reporter, transfer)
        failure = outcome(entry) != SUCCESS
        self._sender.send(syslog_frame(text, when, self._reporter.host, failure=failure))

    def close(self) -> None:
        """Send what waits, for some seconds, and end."""
        self._sender.close()


def _looked_at(images: Images) -> Transfer:
    try:
        return Transfer.of(images)
    except (OSError, InvalidDicomError, AttributeError) as error:
        logger.error(
            "images could not be looked at for the audit repository, which is told of their study alone: %s",
            type(error).__name__,
        )
        return Transfer.unknown(images)


def _context(settings: Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.audit_ca_file)
    except OSError as error:  # also what ssl raises
        raise ConfigurationError(
            f"{PREFIX}AUDIT_CA_FILE must name a readable file of certificates (PEM), {settings.audit_ca_file} is none: "
            f"{error.strerror or error}"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.audit_certificate_file is not None:
        try:
            # A password of no letters: a key that has one is refused instead of asking for it.
            context.load_cert_chain(
                settings.audit_certificate_file, settings.audit_key_file, password=lambda: b""
            )
        except OSError as error:
            raise ConfigurationError(
                f"{PREFIX}AUDIT_CERTIFICATE_FILE and {PREFIX}AUDIT_KEY_FILE must be a certificate and its key (PEM, without a "
                f"password): {error.strerror or error}"
            ) from error
    return context
