"""Draws workbooks as LibreOffice prints them: pictures.py <folder> <workbook>..."""

import sys
from pathlib import Path

from tests.oracles import libreoffice


def main(folder: str, *workbooks: str) -> None:
    for workbook in workbooks:
        for picture in libreoffice.to_png(Path(workbook), Path(folder), dpi=100):
            print(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
