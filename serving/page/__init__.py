"""The page: a form made from the cohort file, and an answer that puts safety first."""
