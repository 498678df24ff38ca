"""What is seen of a description, and where it goes."""
