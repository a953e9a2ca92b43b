"""What the fabfile and the scripts call about jobs and replicas, one function a command."""
