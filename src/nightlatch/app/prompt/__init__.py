"""What the hosted prompt can do, one use case a file."""
