"""The client for applications that ask Nightlatch; imports nothing of the server.

``AsyncNightlatch`` and ``Nightlatch`` talk to a server, and check what it asserts; see docs/how-to/integrate.md.
"""

from nightlatch_client.aio import AsyncNightlatch
from nightlatch_client.assertions import Assertion, NotVerified, action_hash
from nightlatch_client.errors import NightlatchError, Refused, Unreachable
from nightlatch_client.protocol import Authentication, Call, Verification
from nightlatch_client.sync import Nightlatch

__all__ = [
    "Assertion",
    "AsyncNightlatch",
    "Authentication",
    "Call",
    "Nightlatch",
    "NightlatchError",
    "NotVerified",
    "Refused",
    "Unreachable",
    "Verification",
    "action_hash",
]
