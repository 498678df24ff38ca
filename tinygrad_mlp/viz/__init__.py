"""Drawing of computation graphs."""
