"""--list-taps, as a person sees it."""

from typing import Any

from precompute.networks.listing import list_taps
from precompute.options import Options


def table(**options: Any) -> tuple[list[str], dict[str, str]]:
    _, heads, *lines = list_taps(Options(data="digits", **options)).splitlines()
    return heads.split(), {line.split()[0]: line for line in lines}


def test_the_list_of_taps_says_what_the_papers_table_says():
    _, lines = table(arch="efficientnet_b0")
    expected = "9 bn2 stage end filter 1280 1x1 1280 7x7 average yes the paper's stage 9"
    assert " ".join(lines["9"].split()) == expected
    assert list(lines) == [*"123456789", "head"]


def test_it_says_where_what_kind_and_why():
    heads, lines = table(arch="timm:resnet18")
    assert heads == ["layer", "module", "kind", "unit", "N_f", "F_s", "FC_s", "pooling", "by", "default", "why"]
    assert "before pooling" in lines["act1"]
    assert "the last layer of 112x112 positions, as timm says" in lines["act1"]
    assert "stage end" in lines["layer4"]
    assert " ".join(lines["head"].split()) == "head into fc classifier's input filter 512 1x1 512 - what fc reads"
    _, lines = table(arch="vgg16")
    assert "after pooling" in lines["10"]
