"""What people see of a comparison: its table, its curves and its page."""
