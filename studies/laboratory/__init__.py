"""Laboratory values: reading a pasted report, and the reference ranges of each center."""
