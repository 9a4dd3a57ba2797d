"""HTTP between the parts of a node on one machine."""

from typing import Any

import requests


def ask(method: str, url: str, **options: Any) -> requests.Response:
    """Send one request on a new connection, bypassing proxies.

    Orthanc closes a connection after its answer, or after a second, without announcing it; a request sent on it at
    that moment is lost.

    Args:
        method: of HTTP.
        url: on loopback.
        options: as `requests.request` takes them.

    Raises:
        requests.RequestException: there was no answer.
    """
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, **options)
