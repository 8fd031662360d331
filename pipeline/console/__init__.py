"""The console: connect, map, watch and mend in a browser, by the operations that the commands use."""
