"""The factors, a file each. Each says whether an answer is right; what follows from it is decided elsewhere."""
