"""Sentences that a page in a browser says in other words than a workbook does, or not at all.

Most sentences are true in both, and are plain texts. Where one names a spreadsheet program, its keys or a command for a
file, the other words stand beside it, where the sentence stands.
"""


class Words(str):
    """A sentence for workbooks, with what a page in a browser says in its place; an empty one leaves the cell empty.

    >>> hint = Words("Press F2 in a cell to see its window.", browser="Click a cell to see its window.")
    >>> hint, in_browser(hint), in_browser("White is zero.")
    ('Press F2 in a cell to see its window.', 'Click a cell to see its window.', 'White is zero.')
    """

    browser: str
    __slots__ = ("browser",)

    def __new__(cls, text: str, browser: str) -> "Words":
        said = super().__new__(cls, text)
        said.browser = browser
        return said


def in_browser(text: str) -> str:
    """What a page in a browser says for a sentence."""
    return text.browser if isinstance(text, Words) else text
