"""What a person can do on their own page, one use case a file."""
