"""The paper's tables as the package has them."""

import csv
import doctest
from importlib import resources

import pytest

import store.paper.published
from store import estimates
from store.paper.published import Published, compared_with, published, published_afcc


def rows() -> list[dict[str, str]]:
    with (resources.files("store.paper") / "published.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_row_of_the_six_tables_is_found() -> None:
    assert len(rows()) == 81
    assert {row["table"] for row in rows()} == set("123456")
    found = {published(row["arch"], row["data"], int(row["labels"]), row["layer"]) for row in rows()}
    assert len(found) == 81 and all(row is not None for row in found)  # no row hides another


@pytest.mark.parametrize(
    ("place", "row"),
    [
        (("vgg16", "cifar100", 100, "10"), Published(1, 512, 2, 2048, 0.752, 16.3, 2.6, 2.0)),
        (("vgg16", "cifar100", 100, "4"), Published(1, 128, 8, 8192, 0.439, 552.4, 5.1, 2.8)),
        (("efficientnet_b0", "cifar100", 100, "9"), Published(2, 1280, 1, 1280, 0.863, 31.6, 1.2, 3.0)),
        (("efficientnet_b0", "imagenet", 1000, "9"), Published(3, 1280, 1, 1280, 0.75, 1057.7, 3.5, 4.4)),
    ],
)
def test_rows_are_the_papers(place: tuple[str, str, int, str], row: Published) -> None:
    assert published(*place) == row


def test_noise_on_20_labels_is_what_the_main_job_is_compared_with() -> None:
    noise = [published("vgg16", "cifar100", 20, layer).noise for layer in ("13", "10", "7", "4", "2")]
    assert noise == [9.92, 13.6, 33.6, 57, 68.23]


def test_rows_are_consistent() -> None:
    for row in rows():
        place = published(row["arch"], row["data"], int(row["labels"]), row["layer"])
        assert place.fc_size == place.n_filters * place.filter_side**2, row
        assert 0 < place.accuracy < 1 and place.n_clusters >= 1 and place.cluster_size >= 1, row
        in_clusters = place.n_clusters * place.cluster_size
        assert in_clusters <= int(row["labels"]) and place.noise < int(row["labels"]) ** 2, row


def test_afcc_is_the_discussions() -> None:
    of_vgg = published_afcc("vgg16", "cifar100", 100, "10")
    of_efficientnet = published_afcc("efficientnet_b0", "cifar100", 100, "9")
    assert of_vgg == (204_800, 10_800, 0.752) and of_efficientnet == (128_000, 4_900, 0.873)
    for found, place in ((of_vgg, ("vgg16", "10")), (of_efficientnet, ("efficientnet_b0", "9"))):
        assert found.weights == 100 * published(place[0], "cifar100", 100, place[1]).fc_size
    assert published_afcc("vgg16", "cifar100", 20, "10") is None


def test_what_the_paper_has_not_is_none() -> None:
    assert published("vgg16", "digits", 10, "10") is None
    assert published("vgg16", "cifar100", 100, "3") is None


def test_golden_estimates_follow_from_the_rows() -> None:
    for layer, wanted in (("10", [26.6, 0.27, 0.83]), ("4", [None, None, 7.07])):
        row = published("vgg16", "cifar100", 100, layer)
        values = estimates(row.n_filters, 100, row.n_clusters, row.cluster_size, row.noise)
        for value, golden, digits in zip(values, wanted, (1, 2, 2), strict=False):
            assert golden is None or round(value, digits) == golden


def test_docstrings_of_the_module_hold() -> None:
    result = doctest.testmod(store.paper.published)
    assert result.attempted >= 1 and result.failed == 0


def test_lite_stands_beside_the_papers_efficientnet_and_others_beside_nothing() -> None:
    beside = published("efficientnet_lite0", "cifar100", 10, "9")
    assert beside is not None and beside == published("efficientnet_b0", "cifar100", 10, "9")
    assert published_afcc("efficientnet_lite0", "cifar100", 100, "9") == published_afcc(
        "efficientnet_b0", "cifar100", 100, "9"
    )
    assert compared_with("timm:resnet18") == "timm:resnet18"
    assert published("timm:tf_efficientnet_lite0", "cifar100", 10, "9") is None
