"""The distributed application: it knows Redis, never hosts."""
