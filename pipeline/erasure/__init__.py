"""How topics are rid of what was erased from state (decision 0026)."""
