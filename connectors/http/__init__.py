"""HTTP for both systems: requests as values, one transport, retries, rate limits."""
