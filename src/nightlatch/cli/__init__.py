"""The command line: each command parses, calls one use case and prints its answer."""

from nightlatch.cli.main import main

__all__ = ["main"]
