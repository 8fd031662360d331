"""How an applied file comes into force: what systems describe, what is created, claims, the states of an apply."""
