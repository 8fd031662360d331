"""The full sync's coordinator: a pure, resumable decision, and the shell that carries it out."""
