"""CPU limits by control groups, for cgroup v1 and v2, with or without systemd.

A group is named CLUSTER/HOST/PROGRAM and lives below `faultline-CLUSTER`, so what is ours can be
told from what is not. A limit belongs to the group and not to a process: it outlives every
restart of what runs in it. `python -m cgroups exec` puts a program into its group before its first
instruction; a supervisor that starts it again thereby puts it there again.
"""
