"""What every system implements, and the errors it raises."""
