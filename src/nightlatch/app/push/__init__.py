"""Approval on the person's own phone: pair it, ask it, hear its answer."""
