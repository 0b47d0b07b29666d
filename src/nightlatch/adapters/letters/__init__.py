"""Mails laid out by Jinja2, escaped everywhere."""

from nightlatch.adapters.letters.renderer import JinjaMailRenderer

__all__ = ["JinjaMailRenderer"]
