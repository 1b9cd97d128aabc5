#!/usr/bin/env bash
# NumPy 2.4.6 saves a bfloat16 array of ml_dtypes 0.5.4, which is what JAX hands out, without a word, and gives it back as
# bytes of no type: `.npy` and `.npz` have |V2 in the header. So have float8_e4m3fn (|V1) and all other types of ml_dtypes.
# The bits are whole: a view as the type that it was gives the numbers back, if one knows which it was. A sum of what was
# loaded raises; a comparison with itself does not.
#
# Seen on 2026-11-28: saved bfloat16 -> loaded |V2, float8_e4m3fn -> |V1; view gives the same numbers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ml_dtypes==0.5.4 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'END'
import sys

import ml_dtypes
import numpy as np

changed = False
for kind, expected in ((ml_dtypes.bfloat16, "|V2"), (ml_dtypes.float8_e4m3fn, "|V1")):
    activations = np.array([[0.5, 1.5], [-2.0, 0.0]], kind)
    np.savez("activations.npz", layer=activations)
    loaded = np.load("activations.npz")["layer"]
    is_whole = bool((loaded.view(kind) == activations).all())
    try:
        said = str(loaded.sum())
    except TypeError as error:
        said = f"{type(error).__name__}: {error}"
    print(f"{np.dtype(kind)}: loaded as {loaded.dtype.str}, a view is the same: {is_whole}; its sum: {said}")
    changed |= loaded.dtype.str != expected or not is_whole or not said.startswith("UFuncTypeError")
print(f"numpy {np.__version__}, ml_dtypes {ml_dtypes.__version__}")
sys.exit("this has changed" if changed else 0)
END
