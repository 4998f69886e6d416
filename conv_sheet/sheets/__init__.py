"""What stands on each sheet, as data: network and layout in, cells, formulas and styles out."""
