"""The API for people: one page made from the OpenAPI document, without a script or an outside file."""
