"""Experiments and their side effects: validation, search, metrics, registry and the command line."""
