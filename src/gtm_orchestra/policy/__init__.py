"""Who may do what, as a typed table."""
