"""--list-taps: where a network can be tapped, as a table."""

from precompute.networks.models import find_arch
from precompute.networks.taps import tap_shapes
from precompute.options import Options
from store.tables.printable import aligned


def list_taps(options: Options) -> str:
    """One line a layer: units, their size, the probe's inputs, and the pooling before it. Raises Problem."""
    arch = find_arch(options)
    shapes = tap_shapes(arch.on_meta(), list(arch.taps.values()), (3, arch.side, arch.side))
    rows = [("layer", "module", "unit", "N_f", "F_s", "FC_s", "pooling", "by default")]
    for layer, (n_units, height, width) in shapes.items():
        tap = arch.taps[layer]
        pooling = f"{tap.pool}x{tap.pool} average" if tap.pool > 1 else "-"
        size, inputs = f"{height}x{width}", str(n_units * height * width)
        rows.append(
            (layer, tap.module, tap.unit, str(n_units), size, inputs, pooling, "yes" if layer in arch.layers else "")
        )
    return "\n".join([f"{arch.name}, images of {arch.side}x{arch.side}", *aligned(rows, left=len(rows[0]))])
