"""Builds a chain of convolutions and prints what that took; a program of its own, so that nothing else is in memory."""

import json
import re
import sys
import tempfile
from dataclasses import astuple, dataclass
from pathlib import Path
from time import process_time

from conv_sheet.network.graph import Network
from conv_sheet.pictures.samples import FIRST, sample
from conv_sheet.sheets import registry
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.writer import write


@dataclass(frozen=True)
class Measured:
    """A build: cells that hold something, seconds of the processor, megabytes that the process held at most."""

    cells: int
    seconds: float
    memory: float
    file: float


def chain(channels: int) -> Network:
    """Convolutions like those of ResNet-20 for pictures of 32×32, without its shortcuts (He et al., 2015)."""
    layers: list[dict[str, object]] = []
    for stage, count in enumerate((7, 6, 6)):
        for number in range(count):
            stride = 2 if stage and not number else 1
            conv = {"kind": "Conv2d", "out_channels": channels << stage, "kernel_size": 3, "padding": 1}
            layers += [conv | {"name": f"conv{stage + 1}_{number + 1}", "stride": stride}, {"kind": "ReLU"}]
    layers += [{"kind": "AdaptiveAvgPool2d", "output_size": 1}, {"kind": "Flatten"}]
    layers += [{"kind": "Linear", "name": "fc", "out_features": 10}, {"kind": "Softmax"}]
    return Network.from_spec({"input": [3, 32, 32], "classes": [*"0123456789"], "layers": layers})


def memory() -> float:
    """Megabytes that this process has held at most, on Linux.

    The `ru_maxrss` of a process begins with that of the one which started it.
    """
    (held,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(held) * 1024 / 1e6


def build(channels: int, path: Path) -> Measured:
    """Build such a chain in this process."""
    network = chain(channels)
    start = process_time()
    image = sample(FIRST, network.input_shape)
    pages = registry.pages(WorkbookState.of(network, image, network.initial(0)))
    write("benchmark", pages, path)
    seconds = process_time() - start
    cells = sum(len(page.singles) + sum(fill.values.size for fill in page.fills) for page in pages)
    return Measured(cells, seconds, memory(), path.stat().st_size / 1e6)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(json.dumps(astuple(build(int(sys.argv[1]), Path(folder, "book.xlsx")))))
