"""A run is stopped after each of its epochs and each of its stages, and goes on by the same command: reading the data,
each epoch of training, the activations, and for each layer the probe, the field matrices and the writing. At full
length a run is stopped once at each of these places, and one more run is stopped at all of them, one after the other;
the short form has the second only. Each must end with what a run makes that never stopped, on a CPU with one thread,
to the bit: the checkpoint is compared as a whole file, all of the result by the sha256 of its content, which leaves out
the manifest: that has the durations, and the time at which the file was made."""

import os
import signal
from pathlib import Path

from tests.trust.finding import Finding
from tests.trust.program import EPOCHS, LAYERS, Moment, Place, command, content_of

AFTER_THE_DATA, AFTER_THE_TRAINING = Moment("training", 1), Moment("activations", 1)
OF_A_LAYER = ("probe", "fields", "writing")


def findings(full: bool, folder: Path) -> list[Finding]:
    """6 epochs and 3 layers, each place by itself and all in one run (3 epochs and 2 layers, all in one run)."""
    epochs, layers = (EPOCHS, LAYERS) if full else (3, LAYERS[1:])
    arguments = command(folder / "images", epochs, layers)
    unharmed = Place(folder / "unharmed", arguments)
    unharmed.finish()
    checkpoint, content = unharmed.network.read_bytes(), content_of(unharmed.out)
    checkpoints, contents, runs = 0, 0, 0
    each, stops = places(epochs, len(layers)), 0
    alone = [[moment] for moment in each] if full else []
    for number, chain in enumerate([*alone, in_one_run(epochs, len(layers))]):
        place = Place(folder / f"run {number}", arguments)
        for moment in chain:
            process = place.start(moment, _stop)
            status = process.wait()
            assert status == 143, f"exit status {status} at {moment}: {process.printed}"
        place.finish()
        stops, runs = stops + len(chain), runs + 1
        checkpoints += place.network.read_bytes() == checkpoint
        contents += content_of(place.out) == content
        place.remove()
    where = (
        f"the data, {epochs} epochs, the training, the activations, and probe, matrices and writing of {len(layers)}"
    )
    return [
        Finding(
            f"stops, after {where} layers",
            "each",
            f"{stops} stops in {runs} runs",
            stops == (2 * len(each) if full else len(each)),
        ),
        Finding(
            "checkpoints with the sha256 of one that never stopped (the whole file)",
            f"{runs} of {runs}",
            f"{checkpoints} of {runs}",
            checkpoints == runs,
        ),
        Finding(
            "results with the sha256 of one that never stopped (all of the content)",
            f"{runs} of {runs}",
            f"{contents} of {runs}",
            contents == runs,
        ),
    ]


def places(epochs: int, layers: int) -> list[Moment]:
    """Where a run that was not stopped before is stopped."""
    of_epochs = [Moment("checkpoint", epoch, ended=True) for epoch in range(1, epochs + 1)]
    of_layers = [Moment(stage, time, ended=True) for time in range(1, layers + 1) for stage in OF_A_LAYER]
    return [AFTER_THE_DATA, *of_epochs, AFTER_THE_TRAINING, Moment("activations", 1, ended=True), *of_layers]


def in_one_run(epochs: int, layers: int) -> list[Moment]:
    """The same for one run: each start comes one place further, and is stopped there for the first time."""
    return [moment._replace(time=1) for moment in places(epochs, layers)]


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
