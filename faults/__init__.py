"""What we break, on purpose and for a limited time.

Each kind of fault is plain data (`registry`): how it starts, how it ends, and how long it lasts by
default. One program on the target (`faults.host`) begins it: it first writes down how the fault
ends, then starts a timer that will end it, and only then does the harm. So the target heals by
itself, whatever happens to the controller.
"""
