import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nullsplat_node.shallow_json import DEEPEST, TooDeep, loads

SMALL_STACK = 128 * 1024
"""Bytes, about what Orthanc's web server gives its threads."""
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))  # fmt: skip


@given(VALUES)
def test_json_is_what_it_was(value: object) -> None:
    assert loads(json.dumps(value)) == loads(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 500 + "1" + "}" * 500]
)
@pytest.mark.parametrize("prefix", ["", '["]]]]", "\\"]]", '])
def test_what_is_nested_deeper_is_not_read(text: str, prefix: str) -> None:
    with pytest.raises(TooDeep):
        loads(prefix + text)


def test_the_deepest_that_is_read_fits_on_a_small_stack() -> None:
    found: list[object] = []
    before = threading.stack_size(SMALL_STACK)
    try:
        thread = threading.Thread(target=lambda: found.append(loads(b"[" * DEEPEST + b"]" * DEEPEST)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert len(found) == 1


def test_many_lists_beside_each_other_and_brackets_in_words_are_no_depth() -> None:
    assert loads(json.dumps([[]] * 1000)) == [[]] * 1000
    assert loads(json.dumps(["[" * 1000])) == ["[" * 1000]


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"nonsense"])
def test_what_is_not_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of them
        loads(text)
