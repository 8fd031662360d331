"""One integration at work in a connector: what its read and write paths share."""
