"""Profiles: segments computed from the data at hand, from admission of attributes to the decision tree."""
