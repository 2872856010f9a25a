"""What is graded, and who grades it."""
