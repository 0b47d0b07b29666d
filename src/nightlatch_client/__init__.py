"""The client for applications that ask Nightlatch; imports nothing of the server."""
