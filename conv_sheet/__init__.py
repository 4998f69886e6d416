"""conv-sheet: convolutional networks as Excel workbooks of live formulas."""

__version__ = "0.1.0"
