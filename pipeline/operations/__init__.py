"""What commands do, the pure part of each; whatever is refused derives from `OperationRefused`."""


class OperationRefused(RuntimeError):
    """An operation was not carried out; the message says why and what to do."""
