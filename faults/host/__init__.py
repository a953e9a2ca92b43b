"""The part of a fault that runs on its target: records, timers, healing. Standard library only."""
