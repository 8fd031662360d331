"""What is told to PAIRSTREAM_NOTIFY_URL: changes of how integrations and stages are."""
