"""Claims and runs as tables."""

from dataclasses import replace
from pathlib import Path

import pytest

from store.paper.claims import CLAIMS, Count, Finding
from tests.explorer_runs import make_run

pytest.importorskip("streamlit.testing.v1", reason="Streamlit is in the extra [explore]")
from explorer.frames import claims as frames_claims
from explorer.frames import runs as collection
from tests.explorer.views.test_claims import LAYERS


def test_a_layer_without_accuracies_has_no_error(tmp_path: Path) -> None:
    make_run(tmp_path / "a.h5", LAYERS)
    rows, _ = collection.collect(tmp_path)
    silent = rows.with_columns(accuracy=None, error=None, N_c=None)
    found = frames_claims.against_labels(silent.cast({"accuracy": float, "error": float, "N_c": float}))
    assert found["error"].to_list() == [None] and found["N_c"].to_list() == [None]
    assert frames_claims.against_labels(collection.empty()).is_empty()


@pytest.mark.parametrize(
    ("holds", "says"),
    [
        ((0, 0), "Against labels shuffled and rotated filters it says something"),
        ((2, 0), "a weak sign"),
        ((5, 2), "labels shuffled too: it is no"),
    ],
)
def test_what_chance_means_for_a_claim_that_holds(holds: tuple[int, int], says: str) -> None:
    chance = {name: Count(k, 5) for name, k in zip(("labels shuffled", "rotated filters"), holds, strict=True)}
    held = Finding(CLAIMS[1], "holds", "n 2, 1", "", Count(1, 1), (), (), chance)
    assert says in frames_claims.verdict_on_chance(held)
    assert frames_claims.verdict_on_chance(replace(held, verdict="fails")) == ""
    assert frames_claims.verdict_on_chance(replace(held, chance={})) == ""


def test_a_null_that_cannot_be_drawn_is_named() -> None:
    chance = {"labels shuffled": Count(0, 5), "rotated filters": Count(0, 0)}
    held = Finding(CLAIMS[1], "holds", "n 2, 1", "", Count(1, 1), (), (), chance)
    assert frames_claims.chance(held) == "labels shuffled 0 of 5, rotated filters: not possible for this file"
    said = frames_claims.verdict_on_chance(held)
    assert said == (
        "Against labels shuffled it says something about these filters. Against rotated filters it was not tested."
    )
    none = replace(held, chance={"rotated filters": Count(0, 0)})
    assert "not known" in frames_claims.verdict_on_chance(none)
