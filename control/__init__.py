"""The controller's side of jobs: start, follow, revise, verify, show. By connectors only."""
