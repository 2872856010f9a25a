"""Which networks there are, and the weights that they start from."""
