"""The pages of a workbook as one HTML file: Python writes what they hold, the JavaScript beside it calculates."""
