"""The operator's policy: read (``loader``), held (``document``), compiled, and asked (``evaluate``)."""
