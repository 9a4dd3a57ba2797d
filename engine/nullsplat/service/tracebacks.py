"""Tracebacks for the log, without the text of errors that may quote what was in an image or where it lies."""

import re
import traceback

QUOTING = re.compile(r"/(pydicom|highdicom|pynetdicom|dicomweb_client|requests|urllib3|nullsplat/dicom)/")
"""Code whose errors quote attributes, or addresses that are made of a study's UIDs."""


def traceback_text(error: BaseException) -> str:
    """The traceback and message of an error; only its type where `QUOTING` code took part."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = traceback.format_list(frames)
    quoting = any(QUOTING.search(frame.filename) for frame in frames)
    lines.append(type(error).__name__ if quoting else f"{type(error).__name__}: {error}")
    return "".join(lines)
