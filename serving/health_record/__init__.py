"""The health record: CDS Hooks services and a FHIR operation, with the prediction of every other route."""
