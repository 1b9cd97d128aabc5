"""The charts of AFCC."""

import pytest

from store.file import afcc_results
from store.file.read import Run

pytest.importorskip("streamlit.testing.v1", reason="Streamlit is in the extra [explore]")
from explorer.charts import afcc as charts_afcc
from explorer.example import EXAMPLE
from explorer.frames import afcc as frames_afcc


def test_every_mask_has_a_colour_of_its_own() -> None:
    with Run(EXAMPLE) as run:
        results = afcc_results.of_layer(run.layers["10"].record)
    assert results is not None
    picture = charts_afcc.epochs(frames_afcc.epochs(results)).to_dict()
    colours = picture["layer"][0]["encoding"]["color"]["scale"]
    assert len(colours["domain"]) == 7
    assert len(set(colours["range"])) == 7
