"""How good a version really is: designs of validation, and what a methodologist asks beside them."""
