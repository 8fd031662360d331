"""How far behind each stage is, in records and seconds, read from the brokers and from vital signs (decision 0030)."""
