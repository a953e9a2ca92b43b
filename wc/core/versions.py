"""The number by which controllers and hosts tell that they understand each other.

Imported first of all by every command on a host, so it imports nothing that takes long.
"""

from __future__ import annotations

import os

#: Of wc.json, and of the commands on hosts with their answers. It changes when a program of one
#: number would misread another's; what is merely new is optional. provision/host/layout.py has it
#: for the controller.
FORMAT = 1
#: The controller's number, with every command. An older controller gives none.
VARIABLE = "FAULTLINE_FORMAT"


def controller_mismatch() -> str:
    """What to do about a controller that speaks another format than this host; "" if none does."""
    theirs = os.environ.get(VARIABLE) or str(FORMAT)
    if theirs == str(FORMAT):
        return ""
    return (
        f"this host's programs speak format {FORMAT}, and the controller format {theirs}: nothing"
        " was done; run `fab provision` with the newer of the two versions, and use that one"
    )
