"""Settings of every test."""

import os

from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"
# xlwings asks when it is first imported; its remote engine is there for noncommercial use, as these tests are.
os.environ["XLWINGS_LICENSE_KEY"] = "noncommercial"

# How long an example takes says nothing about whether it is right, and the first one pays for every import.
base = settings.get_profile("ci" if "CI" in os.environ else "default")
settings.register_profile("conv-sheet", base, deadline=None)
settings.load_profile("conv-sheet")
