"""Do probes that start from the last snapshot's weights give what probes that start anew give? (docs/emergence.md)

    python -m benchmarks.warm_probes --data digits --layers 7 10 13 --snapshots 5 --out /tmp/warm.h5

takes the options of `python -m precompute`, trains the network, and trains the probes of each snapshot three times:
anew, from the last snapshot's probe, and from it for a quarter of the epochs. n, N_c and C_s at threshold 0.3, and how
many standard errors (of the test images) each lies from those of the probe that started anew.
"""

import sys
from dataclasses import replace

import numpy as np
import torch

from precompute import stages
from precompute.job import Job, Todo, prepare
from precompute.machine.device import to_device
from precompute.machine.stopping import Stopping
from precompute.one_layer import LayerActivations, Probed, quantify
from precompute.options import parse
from precompute.plan import make_plan
from precompute.probe import probe_training
from store.file.sample_results import of_layer
from store.file.write import LayerContent
from store.measure.layer import THRESHOLD, measure_factored
from store.tables.printable import aligned

_QUANTITIES = {"n": "mean_noise", "N_c": "mean_clusters", "C_s": "mean_cluster_size"}


def main() -> None:
    options = parse(sys.argv[1:])
    with Stopping() as stopping:
        job = prepare(replace(options, fresh=True), stopping)
        todo = Todo(job.taps, [], [], [], between=False)
        plan = make_plan(job, todo)
        data = stages.DataOnDevice(job, plan.places)
        trained = stages.train_network(job, data, None)
        last: dict[str, torch.Tensor] = {}
        columns = [f"{name}{end}" for name in _QUANTITIES for end in ("", " (se)")]
        rows = [["epoch", "layer", "probe", "accuracy", *columns]]
        for epoch in (*job.epochs, job.recipe.network.epochs):
            network = to_device(job.network(), job.device) if epoch in job.epochs else trained.network
            if epoch in job.epochs and epoch:
                network.load_state_dict(job.work.load_snapshot(epoch))
            recorded = stages.record_activations(job, plan, data, network.eval().requires_grad_(False), todo)
            for tap in job.taps:
                layer = stages.activations(job, data, recorded, tap, plan.shapes[tap.layer][0])
                anew = stages.train_probe(job, plan, data, recorded, tap)
                found = {"anew": quantify(layer, anew, options.seed, {})}
                if tap.layer in last:
                    for name, part in (("from the last", 1), ("from the last, a quarter", 4)):
                        probed = _warm(job, layer, last[tap.layer], part, stopping)
                        found[name] = quantify(layer, probed, options.seed, {})
                for name, content in found.items():
                    rows.append([str(epoch), tap.layer, name, *_cells(content, found["anew"])])
                last[tap.layer] = anew.probe.get_parameter("weight").detach().clone()
            recorded.forget()
        print("\n".join(aligned(rows)))
        job.work.close()


def _warm(job: Job, layer: LayerActivations, weights: torch.Tensor, part: int, stopping: Stopping) -> Probed:
    assert layer.train is not None
    schedule = replace(job.recipe.probe, epochs=max(1, job.recipe.probe.epochs // part))
    training = probe_training(layer.name, layer.train, layer.train_labels, layer.n_labels, schedule, job.options.seed)
    with torch.no_grad():
        training.model.get_parameter("weight").copy_(weights)
    history = training.run(stopping)
    return Probed(training.model, history, 0.0, None)


def _cells(content: LayerContent, anew: LayerContent) -> list[str]:
    """Accuracy, and each quantity with its distance from the probe that started anew, in its standard errors."""
    one, other = (_measured(layer) for layer in (content, anew))
    sample = of_layer(anew.record)
    cells = [f"{content.record['test_accuracy']:.3f}"]
    for name in _QUANTITIES:
        error = None if sample is None else sample.error(THRESHOLD, name)
        distance = np.nan if not error else (one[name] - other[name]) / error
        cells += [f"{one[name]:.2f}", "-" if content is anew else f"{distance:+.1f}"]
    return cells


def _measured(layer: LayerContent) -> dict[str, float]:
    assert layer.class_means is not None and layer.probe_weights is not None
    measured = measure_factored(layer.class_means, layer.probe_weights, THRESHOLD)
    return {name: getattr(measured, attribute) for name, attribute in _QUANTITIES.items()}


if __name__ == "__main__":
    main()
