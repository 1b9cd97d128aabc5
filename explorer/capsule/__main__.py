"""python -m explorer.capsule FILE --layer NAME --out PAGE.html: a layer as one page that needs no server."""

import argparse
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m explorer.capsule",
        description="Write a layer as one HTML file with the live matrix in it: no server, no network.",
    )
    parser.add_argument("file", help="a result of `python -m precompute`")
    parser.add_argument("--layer", required=True, help="by its name, as `python -m store info FILE` lists it")
    parser.add_argument("--filter", type=int, default=0, help="that the page opens with (default 0)")
    parser.add_argument("--threshold", type=float, default=0.3, help="fraction of each filter's maximum (default 0.3)")
    parser.add_argument(
        "--order", choices=["stored", "reversed", "random"], default="stored", help="in which labels are scanned"
    )
    parser.add_argument(
        "--average", choices=["clustered", "all"], default="clustered", help="filters that N_c and n are means over"
    )
    parser.add_argument(
        "--gauge", choices=["as trained", "zero-sum"], default="as trained",
        help="of the fields: as trained, or without what the probe's weights add to all outputs alike",
    )  # fmt: skip
    parser.add_argument(
        "--draws", type=int, default=20, metavar="N",
        help="of each null model, whose numbers stand beside the layer's (default 20; 0: none)",
    )  # fmt: skip
    parser.add_argument("--out", help="the page to write (default: FILE-layer-NAME.html in this folder)")
    arguments = parser.parse_args()
    if not 0 <= arguments.draws <= 1000:
        parser.error(f"--draws is a number of draws, from 0 to 1000, not {arguments.draws}")

    from explorer.capsule.page import CapsuleError, Shown, capsule  # late: `--help` answers at once
    from store.file.format import FormatError
    from store.file.read import Run
    from store.file.write import replace_file
    from store.tables.printable import printable

    shown = Shown(
        arguments.layer, arguments.filter, arguments.threshold, arguments.order, arguments.average, arguments.gauge,
        arguments.draws,
    )  # fmt: skip
    place = Path(arguments.file).name
    try:
        with Run(arguments.file) as run:
            place = run.name
            page = capsule(run, shown)
            out = Path(arguments.out or f"{Path(run.name).stem}-layer-{shown.layer}.html")
        if out.suffix.lower() not in {".html", ".htm"}:  # else a slip of the keyboard could replace the result
            raise CapsuleError(f"{out}: a page is named .html")
        replace_file(out, page)
    except (FormatError, CapsuleError) as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {printable(error.filename or place)}: {printable(error.strerror or error)}", file=sys.stderr)
        return 1
    print(f"{printable(out)}: layer {shown.layer}, {len(page) / 1e6:.1f} MB; it opens in any browser")
    return 0


if __name__ == "__main__":
    sys.exit(main())
