"""The JavaScript modules as one text, for a page that can load no file: Streamlit's component, and an exported page.

Each module states what it imports, so that it can be read and tested alone; here these lines go, and the modules stand
one after the other.
"""

import re
from pathlib import Path

# Each after those that it imports.
MODULES = (
    "measure.js",
    "style.js",
    "paint.js",
    "page.js",
    "layout.js",
    "corner.js",
    "strip.js",
    "save.js",
    "figure.js",
    "matrix.js",
)
_FOLDER = Path(__file__).parent
_IMPORT = re.compile(r"^import \{[^}]*\} from \"[^\"]*\";\n", re.MULTILINE)


def joined(*more: Path) -> str:
    """The live matrix, and after it `more` modules, as one."""
    paths = [*(_FOLDER / name for name in MODULES), *more]
    return "\n".join(_IMPORT.sub("", path.read_text("utf-8")) for path in paths)
