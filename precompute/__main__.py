"""python -m precompute --arch vgg16 --data cifar100: the paper's method, in its order.

1. The entire network is trained.
2. The weights of the first m layers are held; a fully connected layer, the probe, is trained on their output.
3. The probe's weights quantify each filter: a field matrix for every filter of every layer, in one HDF5 file.
"""

import sys
from typing import TYPE_CHECKING

from precompute import cli

if TYPE_CHECKING:
    from precompute.job import Job, Todo
    from store.file.write import RunContent


def measure_filters(job: "Job", earlier: "RunContent | None", todo: "Todo") -> None:
    """The paper's three stages for the layers that wait, then AFCC; the file is replaced after each layer."""
    from precompute import pruning, snapshots, stages
    from precompute.one_layer import driving
    from precompute.plan import make_plan
    from precompute.result import new_content, write

    # What can still be wrong is found out before minutes of measuring.
    saved = job.checkpoint(todo)
    if job.origin["from"] == "hub":
        job.network()  # downloaded now, and read from this machine's copy later
    plan = make_plan(job, todo, saved)
    print(plan.text(), flush=True)
    if job.options.fresh:
        job.work.set_aside()
        job.stopping.done_with.add("--fresh")
    data = stages.DataOnDevice(job, job.world.from_first(plan.places))
    # "In the first stage, the entire deep architecture is trained using optimized parameters to minimize the loss
    # function."
    trained = stages.train_network(job, data, saved)
    del saved  # weights and momentum once more
    # "In the second stage, the weights of the first m trained layers remain unchanged and their outputs are FC with
    # random initial weights to the output layer, which represent the labels."
    recorded = stages.record_activations(job, plan, data, trained.network, todo)
    job.world.part()  # what remains is done by the first process, and nobody waits for it
    content = earlier or new_content(job, trained, recorded)
    content.label_of_test_input = data.test_labels.cpu().numpy()  # goes into the file with what is known of each input
    for tap in todo.probed:
        probed, said = stages.probe(job, plan, data, recorded, tap, trained.network)
        # "In the third stage, the trained weights of the FC layer are used to quantify the functionality of each
        # filter constituting its input layer."
        content.layers.append(stages.quantify_filters(job, plan, data, recorded, tap, probed, said))
        write(job, content)
    layers = {layer.name: layer for layer in content.layers}
    for tap in todo.kept:
        layers[tap.layer].test_features = stages.test_features(recorded, tap, plan.shapes[tap.layer][0])
        write(job, content)
    for tap in todo.driven:
        layer = layers[tap.layer]
        assert layer.probe_weights is not None
        layer.top_inputs = driving(recorded.test[tap.layer], data.test_labels, layer.probe_weights)
        write(job, content)
    # The Discussion's AFCC, on what the three stages have made.
    for tap in todo.pruned:
        # "All these weights which did not belong to a cluster in a specific filter were set to zero."
        pruned = pruning.prune_probe(job, data, trained.network, recorded, tap, layers[tap.layer])
        layers[tap.layer].record["afcc"] = pruned
        write(job, content)
    if todo.between:
        content.manifest["afcc_between"] = pruning.prune_between(job, data, trained.network, content)
        write(job, content)
    # Stages 2 and 3 once more, of the network as it was after earlier epochs.
    recorded.forget()
    for epoch in todo.epochs:
        snapshots.measure(job, plan, data, epoch, todo.at_epoch(epoch), content)


def main() -> int:
    return cli.main(measure_filters)


if __name__ == "__main__":
    sys.exit(main())
