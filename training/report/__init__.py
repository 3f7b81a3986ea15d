"""The report of a version, its model card and its reporting checklists."""
