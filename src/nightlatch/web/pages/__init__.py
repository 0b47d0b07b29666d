"""The pages that people see: hosted prompt, portal, demo. Hand-written HTML, CSS and small modules."""
