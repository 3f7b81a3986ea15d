"""Time from response to relapse: candidates, their validation and what maintenance does."""
