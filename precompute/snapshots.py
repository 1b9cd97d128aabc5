"""Stages 2 and 3 of the network as it was after an earlier epoch of its training.

Its probes start anew, as those of the trained network do: so the numbers of all epochs compare (docs/emergence.md).
"""

from precompute import stages
from precompute.job import Job, Todo
from precompute.machine.device import to_device
from precompute.plan import Plan
from precompute.result import write
from precompute.stages import DataOnDevice
from store.file.write import EpochContent, LayerContent, RunContent

_OF_RECORD = ("test_accuracy", "train_accuracy", "seconds", "start_share")


def measure(job: Job, plan: Plan, data: DataOnDevice, epoch: int, todo: Todo, content: RunContent) -> None:
    """Measure the layers that wait, and replace the file after each. Raises Problem, Stopped, OSError."""
    print(f"as it was after epoch {epoch}" if epoch else "as it was before the first step", flush=True)
    network = to_device(job.network(), job.device)
    if epoch:
        network.load_state_dict(job.work.load_snapshot(epoch))
    network.eval().requires_grad_(False)
    recorded = stages.record_activations(job, plan, data, network, todo)
    for tap in todo.probed:
        probed, said = stages.probe(job, plan, data, recorded, tap, network)
        layer = stages.quantify_filters(job, plan, data, recorded, tap, probed, said)
        _at(content, epoch, recorded.accuracies).layers.append(kept(layer))
        write(job, content)
    recorded.forget()


def kept(layer: LayerContent) -> LayerContent:
    """What is kept of a layer at an earlier epoch: class means and weights, accuracies, standard errors."""
    record = {key: layer.record[key] for key in _OF_RECORD if key in layer.record}
    sample = {key: value for key, value in layer.record["sample"].items() if key != "clusters"}  # by far the longest
    return LayerContent(layer.name, layer.class_means, layer.probe_weights, {}, record | {"sample": sample})


def _at(content: RunContent, epoch: int, accuracies: dict[str, float]) -> EpochContent:
    """The epoch's place in the content, made where there is none yet."""
    found = next((at for at in content.epochs if at.epoch == epoch), None)
    if found is None:
        found = EpochContent(epoch, dict(accuracies))
        content.epochs.append(found)
        content.epochs.sort(key=lambda at: at.epoch)
    return found
