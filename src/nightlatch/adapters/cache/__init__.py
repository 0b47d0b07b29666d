"""What this process remembers of what all share, and never longer than two seconds unwatched."""

from nightlatch.adapters.cache.catalog import CachedCatalog
from nightlatch.adapters.cache.policies import CachedPolicies
from nightlatch.adapters.cache.shared import Shared
from nightlatch.adapters.cache.store import FreshStore

__all__ = ["CachedCatalog", "CachedPolicies", "FreshStore", "Shared"]
