"""What the processes of `test_distributed` do together; alone, the same with one."""

import copy
import multiprocessing
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from precompute.activations import Activations, record
from precompute.frozen_pass import by_torch
from precompute.images.augment import Draws, Images, Preprocessing
from precompute.images.image_files import ImageFiles
from precompute.machine.device import Device
from precompute.machine.distributed import World
from precompute.machine.stopping import Stopped, Stopping
from precompute.messages.problem import Problem
from precompute.networks.taps import Tap
from precompute.recipes import Schedule
from precompute.training.loop import Training

SCHEDULE = Schedule("test", learning_rate=0.05, momentum=0.9, weight_decay=1e-3, epochs=3, decay=0.5, batch_size=50)
N_INPUTS = 120  # 2 batches of 50, which three processes cannot share evenly, and 20 inputs left over
SIDE = 640  # of it, 16 images pass at once
CPU = Device(torch.device("cpu"), None, "")  # float32
TAPS = [Tap("a", "0"), Tap("b", "2")]
SIZES = (0, 1, 16, 17, 40, 100)  # of data sets: fewer batches than processes, and not as many for each


def training(world: World) -> Training:
    from timm.layers.norm_act import BatchNormAct2d  # when the processes are connected, as in a run

    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2, bias=False),
        BatchNormAct2d(8, act_layer=nn.SiLU),
        nn.Conv2d(8, 8, 3, bias=False),
        nn.BatchNorm2d(8, momentum=None, affine=False),
        nn.Flatten(),
        nn.Linear(8, 3),
    )
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(N_INPUTS, 3, 9, 9, generator=generator)
    labels = torch.arange(N_INPUTS) % 3

    def accuracy_of() -> float:
        mine = world.share(N_INPUTS)
        with torch.no_grad():
            right = (model(images[mine]).argmax(1) == labels[mine]).sum()
        return world.total(right).item() / N_INPUTS

    return Training(
        "test", model, lambda index, _: images[index], labels, SCHEDULE, 0, evaluate=accuracy_of, world=world
    )


def whole(world: World) -> tuple[dict[str, Any], nn.Module]:
    finished = training(world)
    finished.run(Stopping())
    return finished.state(), finished.model


def used_alone(model: nn.Module) -> dict[str, Tensor]:
    """What a copy becomes in a training that is not shared, as AFCC's are not."""
    own = copy.deepcopy(model).train()
    own(torch.randn(20, 3, 9, 9, generator=torch.Generator().manual_seed(2))).sum().backward()
    return own.state_dict() | {f"{name}'s gradient": weight.grad for name, weight in own.named_parameters()}


def not_synchronized(world: World) -> dict[str, Any]:
    with mock.patch("precompute.training.batch_norm.synchronize"):
        return whole(world)[0]


def stopped(world: World) -> dict[str, Any]:
    """The last process alone gets a signal, in its third step."""
    stopping = Stopping()
    saved: list[Any] = []
    one = training(world)
    take_step = one.take_step

    def with_a_signal(draws: Draws, batch: int) -> None:
        if one.step == 2 and world.rank == world.size - 1:
            signal.raise_signal(signal.SIGTERM)
        take_step(draws, batch)

    one.take_step = with_a_signal  # type: ignore[method-assign]
    try:
        with stopping:
            one.run(stopping, saved.append)
    except Stopped as error:
        return {"status": error.exit_status, "step": one.step, "saved": saved}
    raise AssertionError("it was not stopped")


def diverged(world: World) -> dict[str, Any]:
    """The last process alone has a loss that is not finite, in its third step."""
    one = training(world)
    take_step = one.take_step

    def with_a_bad_loss(draws: Draws, batch: int) -> None:
        take_step(draws, batch)
        if one.step == 3 and world.rank == world.size - 1:
            one.sums[0] = torch.inf

    one.take_step = with_a_bad_loss  # type: ignore[method-assign]
    try:
        one.run(Stopping())
    except Problem as problem:
        return {"message": str(problem), "step": one.step}
    raise AssertionError("it went on")


def network() -> nn.Module:
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 5, 64, stride=64)
    return nn.Sequential(convolution, nn.ReLU(), nn.AvgPool2d(5), nn.Flatten(), nn.Linear(20, 4))


def recorded(world: World, pixels: Tensor | ImageFiles) -> dict[str, Any]:
    images = Images(pixels, CPU.target, Preprocessing(SIDE, (0.5,) * 3, (0.5,) * 3))
    out: Activations = {}
    if world.is_first:
        out = {
            layer: torch.full((len(images), n), torch.nan, dtype=torch.bfloat16) for layer, n in (("a", 500), ("b", 20))
        }
    answers = record("test", by_torch(network(), TAPS, CPU), TAPS, images, out, world)
    return {**out, "answers": answers} if world.is_first else {}


def arrays(world: World) -> list[dict[str, Any]]:
    random = np.random.default_rng(0)
    pixels = [torch.from_numpy(random.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)) for n in SIZES]
    return [recorded(world, some) for some in pixels]


def files(world: World, folder: Path) -> dict[str, Any]:
    images = ImageFiles(sorted(folder.glob("*.png")), 32)
    whole = world.decode(images, folder / f"of {world.size}.pixels")
    return {"passed": recorded(world, images), "decoded": torch.from_numpy(whole).clone()}


def threads_of_the_group() -> list[str]:
    """Those that send and receive; none where the system does not tell."""
    names = []
    for place in Path("/proc/self/task").glob("*/comm"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ended while the others were read
            names.append(place.read_text().strip())
    return [name for name in names if "gloo" in name]


def everything(world: World, folder: Path) -> dict[str, Any]:
    state, model = whole(world)
    done = {
        "whole": state,
        "not synchronized": not_synchronized(world),
        "stopped": stopped(world),
        "diverged": diverged(world),
        "arrays": arrays(world),
        "files": files(world, folder),
        "from first": world.from_first(f"of {world.rank}"),
        "any": [world.any(world.rank == rank) for rank in (0, world.size - 1, world.size)],
        "threads": threads_of_the_group(),
    }
    world.part()
    return done | {"used alone": used_alone(model), "threads left": threads_of_the_group()}


def together(n: int, folder: Path) -> str:
    """So many processes, as torchrun tells them who they are -> what they print as errors.

    They are forked from one that has done Python's imports: each of them would take as long as all that is tested.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [context.Process(target=_one_of_them, args=(rank, n, port, folder)) for rank in range(n)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(600)
    said = "".join((folder / f"{rank} of {n}.txt").read_text() for rank in range(n))
    return said + "".join(f"{p.name}: exit status {p.exitcode}\n" for p in processes if p.exitcode != 0)


def _one_of_them(rank: int, n: int, port: int, folder: Path) -> None:
    own = os.open(folder / f"{rank} of {n}.txt", os.O_WRONLY | os.O_CREAT)
    os.dup2(own, 2)
    several = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": n, "LOCAL_WORLD_SIZE": n, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in several.items()} | {"MASTER_ADDR": "127.0.0.1"})
    main(folder)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    world = World.of_environment()
    name = f"{world.rank} of {world.size}.pt"
    with world.connected("cpu"):
        done = everything(world, folder)
    torch.save(done, folder / name)
