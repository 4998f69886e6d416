"""Settings of every test."""

import os

from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"

# How long an example takes says nothing about whether it is right, and the first one pays for every import.
base = settings.get_profile("ci" if "CI" in os.environ else "default")
settings.register_profile("conv-sheet", base, deadline=None)
settings.load_profile("conv-sheet")
