"""What we break, on purpose and for a limited time.

Each kind of fault is a package of plain data (`registry`): how it starts, how it ends, how long it
lasts unless told otherwise. A fault is begun on its target by one program (`faults.host`), which
first writes down how it ends, then starts a timer that will end it, and only then does the harm.
Whatever happens to us afterwards, the target heals by itself.
"""
