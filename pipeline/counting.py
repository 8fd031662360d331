"""A count with its word, for people."""


def counted(count: int, one: str, several: str = "") -> str:
    """`1 mapping`, `3 mappings`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"
