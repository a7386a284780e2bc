"""What is kept: the plan log, the journal, artifacts by content, and locks."""
