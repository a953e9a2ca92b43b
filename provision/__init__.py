"""Wanted state to hosts: inventory, connectors, facts, operations, plan."""
