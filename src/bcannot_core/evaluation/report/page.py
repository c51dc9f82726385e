"""A page as a list of blocks, and its two forms: HTML and Markdown, each in one file."""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;
color:#1c2330;background:#fff}
h1,h2,h3{line-height:1.2}h2{margin-top:2.5rem;border-bottom:1px solid #ccd;padding-bottom:.2rem}
table{border-collapse:collapse;font-size:.9rem;display:block;overflow-x:auto;margin:1rem 0}
th,td{padding:.25rem .6rem;border-bottom:1px solid #dde;text-align:right;white-space:nowrap}
th:first-child,td:first-child,th.text,td.text{text-align:left}th{background:#f2f4f8}
td.text{white-space:normal}img{max-width:100%;height:auto;image-rendering:auto}
figure{display:inline-block;margin:.5rem .8rem .5rem 0;vertical-align:top}
figcaption{font-size:.85rem;color:#556}pre{background:#f2f4f8;padding:.8rem;overflow-x:auto;
font-size:.8rem}
@media(prefers-color-scheme:dark){body{color:#dde3ee;background:#12161e}th,pre{background:#1d2430}
th,td{border-color:#303a4a}figcaption{color:#9ab}figure img{background:#fff}}
"""


@dataclass(frozen=True)
class Heading:
    """A heading of level 1 to 3."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    header : sequence of str
        Names of the columns.
    rows : sequence of sequence of str
        Cells, as they are shown.
    prose : frozenset of int
        Columns of words beside the first, which always is.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    prose: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A picture with its data.

    Attributes
    ----------
    uri : str
        ``data:image/…;base64,…``
    caption : str
        What it shows.
    """

    uri: str
    caption: str


@dataclass(frozen=True)
class Listing:
    """Text as it is, folded away in HTML.

    Attributes
    ----------
    title : str
        What it is.
    text : str
        The lines.
    """

    title: str
    text: str


Block = Heading | Text | Table | Picture | Listing


@dataclass
class Page:
    """A page.

    Attributes
    ----------
    title : str
        Its title.
    blocks : list
        What is on it, from top to bottom.
    """

    title: str
    blocks: list[Block] = field(default_factory=list)

    def add(self, *blocks: Block) -> None:
        """Put blocks at its end."""
        self.blocks.extend(blocks)

    def to_html(self) -> str:
        """Return it as HTML that loads nothing from anywhere."""
        title = html.escape(self.title)
        body = "\n".join(_html(block) for block in self.blocks)
        return (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
            f"<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
        )

    def to_markdown(self) -> str:
        """Return it as Markdown with the pictures in it."""
        parts = [f"# {_plain(self.title)}", *(_markdown(block) for block in self.blocks)]
        return "\n\n".join(parts) + "\n"


def _html(block: Block) -> str:
    escape: Callable[[str], str] = html.escape
    if isinstance(block, Heading):
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if isinstance(block, Text):
        return f"<p>{escape(block.text)}</p>"
    if isinstance(block, Picture):
        caption = escape(block.caption)
        picture = f'<img src="{escape(block.uri)}" alt="{caption}">'
        return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"
    if isinstance(block, Listing):
        title = escape(block.title)
        return f"<details><summary>{title}</summary><pre>{escape(block.text)}</pre></details>"
    head = "".join(_cell("th", text, i in block.prose) for i, text in enumerate(block.header))
    rows = "\n".join(
        "<tr>"
        + "".join(_cell("td", text, i in block.prose) for i, text in enumerate(row))
        + "</tr>"
        for row in block.rows
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _cell(tag: str, text: str, prose: bool) -> str:
    kind = ' class="text"' if prose else ""
    return f"<{tag}{kind}>{html.escape(text)}</{tag}>"


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_plain(block.text)}"
    if isinstance(block, Text):
        return _plain(block.text)
    if isinstance(block, Picture):
        return f"![{_plain(block.caption)}]({block.uri})\n\n*{_plain(block.caption)}*"
    if isinstance(block, Listing):
        longest = max((len(run) for run in re.findall(r"`+", block.text)), default=0)
        fence = "`" * max(3, longest + 1)
        return f"{_plain(block.title)}\n\n{fence}\n{block.text}\n{fence}"
    rule = [":--" if i == 0 or i in block.prose else "--:" for i in range(len(block.header))]
    lines = [block.header, rule, *block.rows]
    return "\n".join(
        "| " + " | ".join(cell if line is rule else _plain(cell) for cell in line) + " |"
        for line in lines
    )


def _plain(text: str) -> str:
    """Return text on one line that Markdown and HTML take for text."""
    escaped = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", escaped)
