"""The portal: a person's own page."""
