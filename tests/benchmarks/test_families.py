"""Every family of timm's, tapped: docs/families.md says what is so, and that what must hold holds."""

import re
from dataclasses import replace

import pytest
import timm
import torch
from torch import nn

from benchmarks import families
from precompute.networks import choose
from precompute.networks.models import choose_taps, find_arch
from precompute.networks.taps import Tap
from precompute.options import Options

ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in families.DOCUMENT.read_text().splitlines()
    if re.match(r"\| [a-z]\w* \| `", line)
]
MODELS = {row[0]: row[1].strip("`") for row in ROWS}
SLOW = ("sequencer",)  # its recurrent layers take ten seconds each time
REAL = ("resnet", "vgg", "ghostnet", "hiera", "mobilenetv3", "tnt")  # of each kind one: of all, see `families`


def found(family: str) -> families.Found:
    return families.check(family, MODELS[family])


def test_the_page_has_every_family_and_says_so():
    assert list(MODELS) == sorted(families.all_names()), f"make {families.DOCUMENT} anew: timm has other families"
    page = families.DOCUMENT.read_text()
    right, refused = (int(number) for number in re.search(r"(\d+) are tapped rightly, (\d+) refused", page).groups())
    assert (right, refused) == (sum(row[5] == "yes" for row in ROWS), sum(row[5].startswith("refused") for row in ROWS))
    assert right + refused == len(ROWS)
    assert refused <= 3
    assert f"timm {timm.__version__}" in page


@pytest.mark.parametrize("family", [family for family in MODELS if family not in SLOW])
def test_each_family_is_tapped_rightly_and_as_the_page_says(family):
    one = found(family)
    assert one.wrong == ()
    assert families.row(one) in families.DOCUMENT.read_text().splitlines()


@pytest.mark.parametrize("family", REAL)
def test_corners_of_taps_follow_the_images(family):
    assert families.with_corners(found(family)).wrong == ()


@pytest.mark.slow
@pytest.mark.parametrize("family", MODELS)
def test_every_familys_corners_follow_the_images(family):
    assert families.with_corners(found(family)).wrong == ()


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "maxvit_tiny_tf_224", "pvt_v2_b0", "pit_ti_224"])
def test_corners_of_heads_follow_the_images(name):
    arch = find_arch(Options(arch=f"timm:{name}", unit="head"))
    assert families.corners_that_stray(arch, choose_taps(arch, ())) == []


# ---- What must hold can fail -----------------------------------------------------------------------------------------


def wrong(*modules: str, model: str = "resnet18") -> list[str]:
    arch = find_arch(Options(arch=f"timm:{model}", taps=modules))
    return list(families.wrong(arch, choose.look(arch), choose_taps(arch, ())))


def test_a_last_tap_of_other_units_is_wrong():
    assert wrong("layer3") == ["the last tap has 256 units, the classifier reads 512"]


def test_two_taps_of_the_same_units_are_wrong():
    assert wrong("act1", "maxpool", "layer4") == [
        "act1 and maxpool are the same units: nothing with weights is between them"
    ]


def test_a_tap_before_its_norm_is_wrong():
    assert wrong("conv1", "layer4") == ["conv1 is tapped before bn1"]


def test_a_last_tap_before_the_final_norm_is_wrong():
    assert wrong("stages.3", model="resnetv2_18") == ["between the last tap and the classifier is norm"]


class Transposed(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.transpose(2, 3)


class Turned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.turned, self.fc = nn.Conv2d(3, 8, 3, 2, 1), Transposed(), nn.Linear(8, 2, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        fields: torch.Tensor = self.fc(self.turned(self.conv(images)).mean((2, 3)))
        return fields


def test_a_tap_whose_places_are_turned_strays():
    arch = find_arch(Options(arch="timm:resnet18", image_size=32))
    turned = replace(arch, module=lambda _n_labels: Turned(), output=("fc",))
    assert families.corners_that_stray(turned, [Tap("conv", "conv"), Tap("turned", "turned")]) == ["turned"]
