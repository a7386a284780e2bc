"""The checks of a review, one module per kind of question."""
