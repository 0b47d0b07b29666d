"""The authenticator: a page that a person puts on their phone, and approves sign-ins with."""
