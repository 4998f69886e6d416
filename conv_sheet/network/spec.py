"""TEMPORARY until the graph is merged."""

from dataclasses import dataclass

from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson, Try


@dataclass(frozen=True)
class Spec:
    network: Network
    lesson: Lesson

    def to_toml(self) -> str:
        return self.network.to_toml()


def parse(text: str, where: str = "spec") -> Spec:
    n = Network.from_toml(text, where)
    lesson = Lesson(n.title, n.description, tuple(Try(t.text, t.at) for t in n.tries), n.sheets, n.picture, n.backprop)
    return Spec(n, lesson)
