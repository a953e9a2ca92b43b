"""From the inventory to running hosts: inventory, build, connect, host."""
