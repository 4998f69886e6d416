"""Where the lessons lie, by name, and the spec with which one of one's own begins. Nothing heavy is imported here."""

from pathlib import Path

_TAUGHT = (
    *("fastai", "first-steps", "kernels", "stride-padding", "channels", "im2col", "pooling", "receptive-field"),
    *(
        "activations",
        "dropout",
        "batch-norm",
        "lenet",
        "upsampling",
        "cs231n",
        "multi-label",
        "backprop",
        "what-it-sees",
    ),
)


def folder() -> Path:
    """Where the lessons lie: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parents[1]
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


def names() -> list[str]:
    """Names of the lessons.

    >>> "fastai" in names()
    True
    """
    return sorted(path.stem for path in folder().glob("*.toml"))


def order() -> list[str]:
    """Names of the lessons in the order in which they are taught; new ones last.

    >>> order()[0]
    'fastai'
    """
    return sorted(names(), key=lambda name: (_TAUGHT.index(name) if name in _TAUGHT else len(_TAUGHT), name))


def first_spec() -> str:
    """A spec that can be built as it is, with a comment for each key."""
    return Path(__file__).with_name("new.toml").read_text(encoding="utf-8")
