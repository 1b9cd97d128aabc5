"""The charts of a layer, as specifications."""

import json

import pytest

pl = pytest.importorskip("polars", reason="polars is in the extra [explore]")
pytest.importorskip("altair", reason="altair is in the extra [explore]")
from explorer.charts import compare as charts_compare
from explorer.charts import gallery as pictures
from explorer.charts import layer as charts
from explorer.frames import differences
from explorer.frames import layer as frames
from store.file.read import Run
from store.measure.fields import Fields
from store.measure.labels import partners as label_partners
from store.measure.layer import LayerMeasure
from store.measure.summary import summary


def test_every_chart_is_a_specification_that_asks_for_nothing_outside(run: Run, layer_10: LayerMeasure) -> None:
    measures = {name: layer.measure() for name, layer in run.layers.items()}
    labels = frames.labels(run, layer_10)
    points = frames.sweep([summary(layer_10)], "clustered")
    fields = run.layers["10"].fields().matrices()
    tiles = frames.filters(layer_10, Fields(fields).squares()).head(5)
    picture = pictures.gallery(list(fields[:5]), list(range(5)), layer_10, "permuted", 4)
    partners = label_partners(layer_10, Fields(fields).of_label(0), 0)
    for chart in (
        charts.depth(frames.depth(run, measures, "all"), ["signal", "noise_I", "noise_E"], "elements", log=True),
        charts.histogram(frames.histogram(layer_10.noise), "n", "filters"),
        charts.sweep(points, ["SNR_I", "SNR_E"], "SNR", 0.3, log=True),
        charts.figure_2(labels, "", selected=3),
        charts.figure_2(labels, ", fields", log=True),
        charts.partners(frames.partner_labels(run, partners), "filter"),
        charts.history(frames.history(run.history())),
        charts_compare.sweeps(points, points, "n", "n, noise", 0.3),
        charts_compare.scatter(differences.of_labels(labels, labels), "signal"),
        charts.gallery(tiles, picture, 4, "filter"),
    ):
        specification = chart.to_dict()
        specification.pop("$schema")
        assert "http" not in json.dumps(specification)


def test_neighbouring_charts_have_one_height_with_a_key_and_without(run: Run) -> None:
    depth = frames.depth(run, {name: layer.measure() for name, layer in run.layers.items()}, "all")
    points = pl.DataFrame({"threshold": [0.2], "n": [3.0], "N_c": [1.0]})
    pictures_of = [charts.depth(depth, names, "t") for names in (["n"], ["N_c", "C_s"])]
    pictures_of += [charts.sweep(points, names, "t", 0.3) for names in (["n"], ["n", "N_c"])]
    assert len({picture.to_dict()["height"] for picture in pictures_of}) == 1


def test_figure_2_has_the_papers_colours_and_dashed_means(run: Run, layer_10: LayerMeasure) -> None:
    specification = json.dumps(charts.figure_2(frames.labels(run, layer_10)).to_dict())
    assert all(colour in specification for colour in (charts.SIGNAL, charts.INTERNAL, charts.EXTERNAL))
    assert "strokeDash" in specification
