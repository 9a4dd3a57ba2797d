"""The smallest encoder of JPEG Lossless, First-Order Prediction, which scanners send and pydicom cannot write.

Source: ITU-T T.81, Annex H (lossless mode) and Annex C (Huffman table specification).
"""

import numpy as np
from pydicom.encaps import encapsulate

CATEGORIES = 17  # lengths in bits of a difference, 0 to 16
CODE_LENGTH = 5  # one length for all: 17 of 32 codes are used, and none is all ones


def encapsulated_jpeg_lossless(pixels: np.ndarray) -> bytes:
    """One frame of unsigned 16-bit pixels as the value of Pixel Data."""
    return encapsulate([_jpeg(pixels)])


def _jpeg(pixels: np.ndarray) -> bytes:
    rows, columns = pixels.shape
    frame = bytes([16]) + rows.to_bytes(2) + columns.to_bytes(2) + bytes([1, 1, 0x11, 0])
    lengths = bytes(CATEGORIES if bits == CODE_LENGTH else 0 for bits in range(1, 17))
    table = bytes([0]) + lengths + bytes(range(CATEGORIES))
    scan = bytes([1, 1, 0, 1, 0, 0])  # one component, table 0, predictor 1: the pixel to the left
    parts = [_segment(0xC3, frame), _segment(0xC4, table), _segment(0xDA, scan)]
    return b"\xff\xd8" + b"".join(parts) + _entropy_coded(pixels) + b"\xff\xd9"


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content


def _entropy_coded(pixels: np.ndarray) -> bytes:
    bits = "".join(_difference(int(value)) for value in (_differences(pixels)).ravel())
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8).replace(b"\xff", b"\xff\x00")


def _differences(pixels: np.ndarray) -> np.ndarray:
    """To the pixel on the left, in the first column to the one above, for the very first to half the range."""
    values = pixels.astype(np.int64)
    predicted = np.empty_like(values)
    predicted[:, 1:] = values[:, :-1]
    predicted[1:, 0] = values[:-1, 0]
    predicted[0, 0] = 2**15
    return values - predicted


def _difference(value: int) -> str:
    category = abs(value).bit_length()
    code = format(category, f"0{CODE_LENGTH}b")
    if category == 0:
        return code
    return code + format(value if value > 0 else value + 2**category - 1, f"0{category}b")
