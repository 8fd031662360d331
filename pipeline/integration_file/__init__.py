"""The integration file: reading it, its model, what it must keep to, writing it."""
