"""A hostile vendor: every answer that was seen, or feared, to stop an integration, played at random by seed."""
