"""CPU limits by control groups, for cgroup v1 and v2, with or without systemd.

A group CLUSTER/HOST/PROGRAM is below `faultline-CLUSTER`, which marks it as ours. A limit belongs
to the group and not to a process, so it outlives restarts. `python -m cgroups exec` puts a program
into its group before the program's first instruction, at every start by a supervisor.
"""
