"""`python -m conv_sheet` is `conv-sheet`."""

from conv_sheet.terminal import main

main()
