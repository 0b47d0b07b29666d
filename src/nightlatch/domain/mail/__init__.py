"""Mails: what they say, before anybody lays it out."""
