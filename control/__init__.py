"""The controller side of a job: submit, follow, verify, show; through connectors only."""
