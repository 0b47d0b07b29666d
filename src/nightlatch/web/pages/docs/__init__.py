"""The documentation that a server carries: the reference of its API, and a page for every error code."""
