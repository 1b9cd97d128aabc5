"""The notebook for marimo: `marimo edit docs/notebook_marimo.py`. What reads the matrix runs anew when it changes."""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import marimo as mo
    import torch
    from sklearn.datasets import load_digits
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    from explorer.notebook import depth, gallery, show
    from precompute import ProbeOptions, measure

    return DataLoader, ProbeOptions, TensorDataset, depth, gallery, load_digits, measure, mo, nn, show, torch


@app.cell
def _(DataLoader, TensorDataset, load_digits, nn, torch):
    torch.manual_seed(0)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(digits.target)
    train = DataLoader(TensorDataset(images[:1400], labels[:1400]), 50, shuffle=True)
    test = DataLoader(TensorDataset(images[1400:], labels[1400:]), 50)

    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        nn.Sequential(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU()),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 10, bias=False),
    )
    optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    for _ in range(6):
        for batch, wanted in train:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(batch), wanted).backward()
            optimizer.step()
    return network, test, train


@app.cell
def _(ProbeOptions, measure, network, test, train):
    names = [str(digit) for digit in range(10)]
    run = measure(network, train, test, layers=["0", "1"], probe=ProbeOptions(epochs=20), label_names=names)
    run
    return (run,)


@app.cell
def _(mo, run, show):
    view = mo.ui.anywidget(show(run, layer="1"))
    view
    return (view,)


@app.cell
def _(mo, view):
    noise = view.measured.noise[view.filter]
    mo.md(f"""
    In Python: threshold {view.threshold:g}, {view.gauge}; filter {view.filter} has {noise} noise elements, under the
    pointer {view.named_clusters or "no cluster"}.
    """)
    return


@app.cell
def _(gallery, run):
    gallery(run, "1")
    return


@app.cell
def _(depth, run):
    depth(run)
    return


if __name__ == "__main__":
    app.run()
