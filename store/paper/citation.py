"""How to cite the paper and this software: in every file, in every page that is handed on, and in CITATION.cff."""

from typing import Any

AUTHORS = ("Yuval Meir", "Yarden Tzach", "Shiri Hodassman", "Ofek Tevet", "Ido Kanter")
TITLE = "Universality of underlying mechanism for successful deep learning"
ARXIV = "2309.07537"
PUBLISHED_TITLE = "Towards a universal mechanism for successful deep learning"  # the same work, as it was printed
JOURNAL, VOLUME, ARTICLE, YEAR = "Scientific Reports", 14, "5881", 2024
DOI = "10.1038/s41598-024-56609-x"

PAPER = (
    f"{', '.join(AUTHORS[:-1])} and {AUTHORS[-1]}, {TITLE}, arXiv:{ARXIV} (2023); printed as {PUBLISHED_TITLE}, "
    f"{JOURNAL} {VOLUME}, {ARTICLE} ({YEAR}), doi:{DOI}"
)


def software(version: str) -> str:
    """In a line, as `PAPER`.

    >>> software("0.1.0")
    'Filterscope 0.1.0: what each single filter of a trained network contributes to each label (software)'
    """
    return f"Filterscope {version}: what each single filter of a trained network contributes to each label (software)"


def citation(version: str) -> dict[str, str]:
    """What a file's manifest has as "citation"; `version` is the software's."""
    return {"paper": PAPER, "software": software(version)}


def bibtex(version: str) -> str:
    """Both, for a list of references.

    >>> print(bibtex("0.1.0").splitlines()[0])
    @article{meir2024universal,
    """
    paper: dict[str, Any] = {
        "title": PUBLISHED_TITLE,
        "author": " and ".join(f"{name.split()[-1]}, {name.split()[0]}" for name in AUTHORS),
        "journal": JOURNAL,
        "volume": VOLUME,
        "pages": ARTICLE,
        "year": YEAR,
        "doi": DOI,
        "note": f"Preprint: {TITLE}, arXiv:{ARXIV}",
    }
    program = {"title": software(version).removesuffix(" (software)"), "version": version, "note": "Software"}
    return _entry("article", "meir2024universal", paper) + "\n" + _entry("misc", "filterscope", program)


def _entry(kind: str, key: str, values: dict[str, Any]) -> str:
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in values.items())
    return f"@{kind}{{{key},\n{lines}}}\n"
