"""One connector process: its integrations, the read path and the write path."""
