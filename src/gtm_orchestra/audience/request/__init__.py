"""The request read: goals, metrics, constraints and timeline in words, each with a visible effect."""
