# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sends a series by STOW-RS: several instances for each request, one at a time in memory."""

from __future__ import annotations

import http.client
import uuid
from dataclasses import dataclass
from typing import Callable, Iterator, Sequence

from nullsplat_node.checks import SettingsError
from nullsplat_node.lifecycle.routing import Outcome, Route
from nullsplat_node.outgoing.partners import Partner
from nullsplat_node.outgoing.post import Body, Unreachable, post
from nullsplat_node.outgoing.store_response import judged

IN_A_REQUEST = 32
PATH = "/studies"


class Unreadable(Exception):
    """An instance can no longer be read out of the archive, or the node stops; says why."""


@dataclass(frozen=True)
class Instance:
    """An instance in the archive: Orthanc's identifier, its UID, and the bytes of its file."""

    identifier: str
    sop_uid: str
    size: int


@dataclass(frozen=True)
class Stow:
    """Sends series to a DICOMweb server.

    Attributes:
        instances: returns those of a series; raises Unreadable.
        read: returns the file of an instance; raises Unreadable.
    """

    partner: Partner
    instances: Callable[[str], Sequence[Instance]]
    read: Callable[[str], bytes]

    def send(self, route: Route) -> Outcome:
        """Send all of the route's series; the server recognises instances of an earlier try by their UIDs."""
        try:
            instances = self.instances(route.series)
            for start in range(0, len(instances), IN_A_REQUEST):
                outcome = self._send(instances[start : start + IN_A_REQUEST], route)
                if not outcome.done:
                    return outcome
        except (Unreachable, Unreadable, SettingsError) as error:
            return Outcome(error=str(error))
        return Outcome(done=True)

    def _send(self, instances: Sequence[Instance], route: Route) -> Outcome:
        boundary = uuid.uuid4().hex
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        authorization = self.partner.authorization()
        if authorization is not None:
            headers["Authorization"] = authorization
        answer = post(self.partner, PATH, headers, self._body(instances, boundary))
        if answer.status == http.client.UNAUTHORIZED and self.partner.token_file:
            return Outcome(
                error="HTTP 401; is the token in BearerTokenFile still valid?"
            )  # it may be renewed
        return judged(answer.status, answer.body, [one.sop_uid for one in instances], route)

    def _body(self, instances: Sequence[Instance], boundary: str) -> Body:
        before = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode("ascii")
        last = f"--{boundary}--\r\n".encode("ascii")
        length = sum(len(before) + one.size + 2 for one in instances) + len(last)

        def parts() -> Iterator[bytes]:
            for one in instances:
                content = self.read(one.identifier)
                if len(content) != one.size:
                    raise Unreadable(
                        f"Orthanc announced {one.size} bytes of an instance and gave {len(content)}"
                    )
                yield before
                yield content
                yield b"\r\n"
            yield last

        return Body(length, parts())
