"""What holds where nobody wrote a policy."""

from __future__ import annotations

from typing import Final

from nightlatch.domain.policy.compiled import CompiledPolicy, compile_policy
from nightlatch.domain.policy.loader import load

DEFAULT_TEXT: Final = """\
# The policy of Nightlatch where no other was applied: everybody proves a second factor at every sign-in,
# and has 30 days to add one. Service accounts cannot; their expiry and networks bound them instead.
mfa_enforcement:
  all_users: true
  grace_period: 30_days
  exclude_service_accounts: true
assurance:
  default: aal2
"""

DEFAULT_VERSION: Final = 0
"""No row has this version."""


def default_policy() -> CompiledPolicy:
    """The built-in policy, ready to be asked."""
    return compile_policy(load(DEFAULT_TEXT), DEFAULT_VERSION)
