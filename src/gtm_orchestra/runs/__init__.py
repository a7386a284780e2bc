"""Driving a plan: one segment at a time, until it is done or a person is needed."""
