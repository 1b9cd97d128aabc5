"""--list-taps: where a network can be tapped, as a table."""

from precompute.networks.choose import tap_shapes_of
from precompute.networks.models import find_arch
from precompute.options import Options
from store.tables.printable import aligned

_HEADS = ("layer", "module", "kind", "unit", "N_f", "F_s", "FC_s", "pooling", "by default", "why")


def list_taps(options: Options) -> str:
    """One line a layer: where, what kind of place, its units and positions, the pooling, and why. Raises Problem."""
    arch = find_arch(options)
    shapes = tap_shapes_of(arch, list(arch.taps.values()))
    rows = [_HEADS]
    for layer, tap in arch.taps.items():
        n_units, height, width = shapes[layer]
        pooling = f"{tap.pool}x{tap.pool} {tap.pooling}" if tap.pool > 1 else "-"
        numbers = (str(n_units), f"{height}x{width}", str(n_units * height * width))
        default = "yes" if layer in arch.layers else ""
        rows.append((layer, tap.where, tap.kind, tap.unit, *numbers, pooling, default, tap.why))
    return "\n".join([f"{arch.name}, images of {arch.side}x{arch.side}", *aligned(rows, left=len(rows[0]))])
