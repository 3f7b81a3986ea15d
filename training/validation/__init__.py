"""How good a version really is: designs of validation, and everything that a methodologist asks beside them."""
