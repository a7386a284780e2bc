"""Audience facts: what is known about attributes, consent and identity, and the profiles built on it."""
