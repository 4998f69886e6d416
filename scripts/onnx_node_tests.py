"""Lists ONNX's tests of single operators, and what conv-sheet does with them: onnx_node_tests.py <page.md>."""

import sys
from pathlib import Path

from tests.oracles.onnx_page import page

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
