"""Reasons that other modules ask for by name; `reasons.py` explains all of them.

Lists of runs need only these, and not the patterns of messages.
"""

STOPPING = "STOPPING"
HELD = "HELD"
EARLY = "EARLY"
IDLE = "IDLE"
CONTROLLER = "CONTROLLER"
SUSPENDED = "SUSPENDED"
LOST = "LOST"
QUEUED = "QUEUED"
RETRY = "RETRY"
GANG = "GANG"
