"""The outputs of define-profiles as files, and the drawing of a plan. Pure: typed results in, bytes out."""
