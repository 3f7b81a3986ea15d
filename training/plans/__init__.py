"""Plans compared: effects, policies and their worth, and the batch command."""
