"""`python -m conv_sheet`."""

from conv_sheet.cli import main

main()
