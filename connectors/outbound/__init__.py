"""From topics into a system: patches and timeline events."""
