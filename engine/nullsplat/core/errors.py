"""The errors that NullSplat raises on purpose.

    NullSplatError
    ├── InputError                 the input cannot be used; a retry will not help
    │   ├── GeometryError          shapes, spacings or factors do not fit together
    │   ├── UnreadableFile         a file is missing, truncated or of another format
    │   ├── IneligibleSeries       a DICOM series that must be refused rather than repaired
    │   ├── SourceChanged          the archive holds other instances than the job was made for
    │   ├── MixedRuns              the archive holds part of a derived series from another run
    │   └── ConfigurationError     a setting is missing, misspelt or out of range
    ├── WeightsError               the prior's weights are missing or fail their checksum
    ├── ArchiveError               the DICOMweb archive is unreachable or misbehaves; may be retried
    │   ├── ArchiveUnavailable     it cannot be reached, is overloaded or dropped the connection
    │   ├── NotInArchive           it does not know what was asked for
    │   ├── NotDicomweb            it answers something that is not DICOMweb
    │   └── StoreRefused           it will never accept these instances; not to be retried
    ├── StorageError               the disk is full or cannot be written; may be retried
    │   └── DatabaseDamaged        the database's files are damaged; only a backup helps
    ├── NoWorker                   no worker is there to do the jobs
    ├── NotNow                     a job is in a state in which this cannot be done; `code` says why
    ├── TimedOut                   a stage took longer than its limit
    └── Cancelled                  the work was cancelled on request

`code` is stable and meant for machines; the message says what was needed, what was given and what to do.
"""

from typing import ClassVar


class NullSplatError(Exception):
    """Root of all errors that NullSplat raises on purpose."""

    code: str = "internal"
    retryable: ClassVar[bool] = False


class InputError(NullSplatError):
    """The input cannot be used."""

    code = "input"


class GeometryError(InputError):
    """Shapes, spacings or factors do not fit together."""

    code = "geometry"


class UnreadableFile(InputError):
    """A file is missing, truncated or of another format than was needed."""

    code = "unreadable-file"


class IneligibleSeries(InputError):
    """A DICOM series that is refused rather than repaired; `code` names the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type["IneligibleSeries"], tuple[str, str]]:
        """Survive pickling, which durable workflows do with errors."""
        return type(self), (self.code, str(self))


class SourceChanged(InputError):
    """The archive holds another set of instances than the job was made for."""

    code = "source-changed"


class MixedRuns(InputError):
    """The archive holds part of this series from another run."""

    code = "mixed-runs"


class ConfigurationError(InputError):
    """A setting is missing, misspelt or out of range."""

    code = "configuration"


class WeightsError(NullSplatError):
    """The prior's weights are missing, damaged or not the ones that were expected."""

    code = "weights"


class ArchiveError(NullSplatError):
    """The DICOMweb archive cannot be reached or answers with an error."""

    code = "archive"
    retryable = True


class ArchiveUnavailable(ArchiveError):
    """The archive cannot be reached, is overloaded or dropped the connection: the same request may well succeed soon."""


class NotInArchive(ArchiveError):
    """The archive does not know what was asked for."""


class NotDicomweb(ArchiveError):
    """The answer is not DICOMweb: a wrong address, or a proxy's page while the archive is being serviced."""


class StoreRefused(ArchiveError):
    """The archive will not accept these instances, however often it is asked."""

    code = "store-refused"
    retryable = False


class StorageError(NullSplatError):
    """The working folder cannot be written, most often because the disk is full."""

    code = "storage"
    retryable = True


class DatabaseDamaged(StorageError):
    """The database's files are damaged; nothing but a backup helps."""

    code = "database-damaged"
    retryable = False


class NoWorker(NullSplatError):
    """No worker is there to do the jobs."""

    code = "no-worker"
    retryable = True


class NotNow(NullSplatError):
    """What was asked for a job cannot be done in the state that it is in; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TimedOut(NullSplatError):
    """A stage took longer than it may."""

    code = "stage-timeout"


class Cancelled(NullSplatError):
    """The work was cancelled on request."""

    code = "cancelled"
