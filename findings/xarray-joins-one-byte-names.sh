#!/usr/bin/env bash
# xarray 2026.9.0 reads an HDF5 dataset of K texts of one byte each as one text of K bytes, unless its axis has a scale.
#
# HDF5 keeps texts of a fixed length. With names such as "a", "b", "c" that length is 1, and NetCDF knows a type of that
# size as characters alone: xarray takes an axis without a name for the letters of one word and joins them. The axis is
# gone, and nothing is said. Names of two bytes stay three names. So do names of one byte whose axis has a dimension scale
# attached. It is the same with the engines h5netcdf 1.8.1 and netcdf4 1.7.5.1.post1; whoever writes plain HDF5 with names
# of a fixed length makes them two bytes long at least, or attaches scales.
#
# Seen on 2026-11-28: without a scale one byte -> shape (), value b'abc'; two bytes -> shape (3,); with a scale both (3,).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  xarray==2026.9.0 h5netcdf==1.8.1 netCDF4==1.7.5.1.post1 h5py==3.16.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'END'
import sys

import h5py
import numpy as np
import xarray

changed = False
for length in (1, 2):
    for has_scale in (False, True):
        names, path = np.array([b"a", b"b", b"c"], f"S{length}"), f"names-{length}-{has_scale}.h5"
        with h5py.File(path, "w") as file:
            file["name"] = names
            if has_scale:
                file["label"] = np.arange(3)
                file["label"].make_scale("label")
                file["name"].dims[0].attach_scale(file["label"])
            assert file["name"].shape == (3,) and (file["name"][:] == names).all()
        for engine, more in (("h5netcdf", {"phony_dims": "sort"}), ("netcdf4", {})):
            with xarray.open_dataset(path, engine=engine, **more) as dataset:
                found = dataset["name"].shape, dataset["name"].values.tolist()
            print(f"{length} byte(s), {'with' if has_scale else 'without'} a scale, {engine}: {found}")
            joined = length == 1 and not has_scale
            changed |= found[0] != (() if joined else (3,)) or (joined and found[1] != b"abc")
print(f"xarray {xarray.__version__}")
sys.exit("this has changed" if changed else 0)
END
