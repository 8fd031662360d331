"""From a system into topics: notifications, reads, lookups, crawls, fan-outs."""
