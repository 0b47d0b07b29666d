"""Texts as a whole: what may be sent, what is paused, what it cost."""
