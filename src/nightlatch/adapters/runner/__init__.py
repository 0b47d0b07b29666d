"""Work that waits in a database, done as it comes."""

from nightlatch.adapters.runner.runner import Runner

__all__ = ["Runner"]
