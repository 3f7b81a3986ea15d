"""Leaks and faults of design, looked for before a model is believed."""
