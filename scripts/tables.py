"""Writes the tables of the documentation that follow from the lessons: the one in README.md."""

from pathlib import Path

from conv_sheet import lessons

README = Path(__file__).resolve().parents[1] / "README.md"
_BEGIN, _END = "<!-- lessons: make generated -->", "<!-- end of lessons -->"


def with_table(text: str) -> str:
    """A text with the table of lessons in its place."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = [f"| `{name}` | {lessons.load(name).lesson.question} |" for name in lessons.order()]
    table = "\n".join(["| `conv-sheet build` … | the question |", "|---|---|", *rows])
    return f"{before}{_BEGIN}\n{table}\n{_END}{after}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
