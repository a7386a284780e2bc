"""The customer data: a read-only connection, and one row per person computed from it."""
