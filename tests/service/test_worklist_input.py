"""Whatever a client sends as a workitem is an order or is refused in words."""

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.support.service.ups_client import order

from nullsplat.core.errors import InputError
from nullsplat.service.contract.messages import fault
from nullsplat.service.worklist.order import order_in

TAGS = [*order("2.25.1", "2.25.2", ["2.25.3"]), "00080018"]
KINDS = st.sampled_from(["SQ", "CS", "UI", "DS", "LO", "DT", "PN", "UT", "XX", "", None, 3])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("SCHEDULED")


def element(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An attribute as a careless client might write it."""
    values = st.lists(inner, max_size=3) | inner
    keys = st.sampled_from(["Value", "BulkDataURI", "InlineBinary", "value"])
    return st.fixed_dictionaries({}, optional={"vr": KINDS}).flatmap(
        lambda known: st.dictionaries(keys, values, max_size=2).map(lambda rest: {**known, **rest})
    )


def data_set(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from([*TAGS, "0040A043", "0040A160", "x"]), element(inner), max_size=4)


ANYTHING = st.recursive(LEAVES, lambda inner: data_set(inner) | st.lists(inner, max_size=3), max_leaves=12)


@given(ANYTHING)
def test_any_json_is_an_order_or_refused(message: Any) -> None:
    with contextlib.suppress(InputError):
        assert fault("job_request", order_in(message).request) is None


@given(st.sampled_from(TAGS), ANYTHING)
def test_an_order_with_one_attribute_spoilt_is_one_still_or_refused(tag: str, spoilt: Any) -> None:
    workitem = order("2.25.1", "2.25.2", ["2.25.3"])
    with contextlib.suppress(InputError):
        assert fault("job_request", order_in({**workitem, tag: spoilt}).request) is None
    for part in (workitem["00404021"]["Value"][0], workitem["00741210"]["Value"][1]):
        for name in list(part):
            kept = part[name]
            part[name] = spoilt
            with contextlib.suppress(InputError):
                assert fault("job_request", order_in(workitem).request) is None
            part[name] = kept
