"""The policy in force, compiled once per version."""

from __future__ import annotations

from nightlatch.domain.errors import Unavailable
from nightlatch.domain.policy.compiled import CompiledPolicy, compile_policy
from nightlatch.domain.policy.defaults import DEFAULT_VERSION, default_policy
from nightlatch.domain.policy.loader import load
from nightlatch.domain.policy.problems import PolicyErrors
from nightlatch.ports.catalog import Catalog


class CachedPolicies:
    """Compiles the newest document; whether it is still the newest, the catalog knows."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._compiled = default_policy()

    async def current(self) -> CompiledPolicy:
        """The policy to decide by.

        Raises ``Unavailable`` when what is stored cannot be read: falling back to the default
        could be weaker than what the operator wrote.
        """
        kept = await self._catalog.policy()
        version = kept.version if kept is not None else DEFAULT_VERSION
        if self._compiled.version != version:
            self._compiled = _compiled(kept.text, version) if kept is not None else default_policy()
        return self._compiled


def _compiled(text: str, version: int) -> CompiledPolicy:
    try:
        return compile_policy(load(text), version)
    except PolicyErrors as error:
        raise Unavailable(f"Policy version {version} cannot be read: {error}") from None
