"""What is wrong with a file of keys, or a set of token keys, that an operator named."""

from features.errors import UserError

__all__ = ["AccessError"]


class AccessError(UserError):
    """Keys that cannot be read, written or found."""
