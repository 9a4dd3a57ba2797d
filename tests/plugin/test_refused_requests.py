from nullsplat_node.access.gate import Refusal
from nullsplat_node.access.refused_requests import MOST, QUIET_SECONDS, RefusedRequests


def test_each_reason_is_written_once_a_minute_and_only_so_many() -> None:
    written: list[str] = []
    now = [0.0]
    refused = RefusedRequests(written.append, lambda: now[0])
    for _ in range(5):
        refused.note(Refusal("forbidden", "no"))
    assert written == ["NullSplat: a request was refused (403, forbidden): no"]
    now[0] = QUIET_SECONDS
    refused.note(Refusal("forbidden", "no"))
    assert len(written) == 2
    for number in range(10 * MOST):
        refused.note(Refusal("forbidden", str(number)))
    assert len(written) == 2 + MOST
    assert "more than 100 reasons" in written[-1]
