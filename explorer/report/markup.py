"""Text -> HTML of the report. What comes from runs may be a stranger's: all of it goes through `text`."""

import html
import re
from collections.abc import Iterable

from store.tables.printable import printable


def text(value: object) -> str:
    """Text that may be anybody's, for a page."""
    return html.escape(printable(value))


def rich(value: object) -> str:
    """The same, with the paper's symbols set as such.

    >>> rich("noise_I + noise_E"), rich("N_c & n"), rich("error = 0.1 K^0.56")
    ('noise<sub>I</sub> + noise<sub>E</sub>', 'N<sub>c</sub> &amp; n', 'error = 0.1 K<sup>0.56</sup>')
    """
    with_lower = re.sub(r"\b(noise|SNR|N|C|F|FC)_([IEcfs])\b", r"\1<sub>\2</sub>", text(value))
    return re.sub(r"\bK\^(-?[\d.]+)", r"K<sup>\1</sup>", with_lower)


def signed(number: str) -> str:
    """With a minus sign, and a dash where there is no number."""
    return "–" if number == "-" else number.replace("-", "−")


def commands(commands: Iterable[str], what: str) -> str:
    lines = "\n".join(text(command) for command in commands)
    if not lines:
        return ""
    note = f"{what} are made by this (add <code>--samples 5</code> for five)."
    if "--recipe quick" in lines:
        note += " By the quick recipe, as the runs at hand; without <code>--recipe quick</code>, by the paper's."
    return f'<p class="faint">{note}</p><pre>{lines}</pre>\n'


def files(name: str, kinds: Iterable[str]) -> str:
    words = {"csv": "CSV", "tex": "LaTeX", "svg": "SVG", "png": "PNG"}
    links = [f'<a href="{name}.{kind}">{name}.{kind}</a> ({words[kind]})' for kind in kinds]
    return f'<p class="files">{", ".join(links)}</p>\n' if links else ""


def counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
