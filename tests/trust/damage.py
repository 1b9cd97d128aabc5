"""A whole result file is damaged at random: bytes flipped in its data, in its manifest and in its labels, sectors
zeroed, the end cut off. Each is opened and read to the end in a process of its own, which may neither crash nor take
more than 2 s (in the short form a minute, for a busy machine): it gives exactly the data that was written, or a
FormatError."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.builders import write_small
from tests.trust.finding import Finding

READER = """
    import faulthandler, json, random, sys
    from pathlib import Path
    import h5py
    from store.file.format import FormatError
    from store.file.read import Run

    def content(path):
        with Run(path) as run:
            run.verify()
            arrays = {place: run.read(place).tobytes() for place in run._places}
            return arrays, run.manifest, run.label_names, run.superclasses

    def chunks(path):
        '''(first byte, bytes) of each stored chunk, by the path of its dataset.'''
        found = {}
        with h5py.File(path) as file:
            def visit(name, item):
                if isinstance(item, h5py.Dataset) and item.chunks:
                    stored = [item.id.get_chunk_info(k) for k in range(item.id.get_num_chunks())]
                    found[name] = [(chunk.byte_offset, chunk.size) for chunk in stored]
            file.visititems(visit)
        return found

    path, times, limit = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    whole, wanted, stored = path.read_bytes(), content(path), chunks(path)
    data = [span for name, spans in stored.items() if name.startswith(("layers", "history")) for span in spans]
    parts = {
        "data": data,
        "manifest": stored["manifest"],
        "labels": [span for name, spans in stored.items() if name.startswith("labels") for span in spans],
        "anywhere": [(0, len(whole))],
        "sector": [(0, len(whole))],
        "cut": [(0, len(whole))],
    }
    chance = random.Random(0)
    outcomes = {kind: {"refused": 0, "right": 0, "wrong": 0} for kind in parts}
    for kind, spans in parts.items():
        for _ in range(times):
            start, size = chance.choice(spans)
            place = start + chance.randrange(size)
            if kind == "cut":
                damaged = whole[:place]
            elif kind == "sector":
                first = place // 512 * 512
                damaged = (whole[:first] + bytes(512) + whole[first + 512:])[:len(whole)]
            else:
                damaged = whole[:place] + bytes([whole[place] ^ chance.randrange(1, 256)]) + whole[place + 1:]
            path.write_bytes(damaged)
            faulthandler.dump_traceback_later(limit, exit=True)  # also where the interpreter lock is held
            try:
                found = content(path)
            except FormatError:
                outcomes[kind]["refused"] += 1
            else:
                outcomes[kind]["right" if found == wanted else "wrong"] += 1
            faulthandler.cancel_dump_traceback_later()
    print(json.dumps(outcomes))
"""
KINDS = {
    "data": "bytes flipped in data",
    "manifest": "bytes flipped in the manifest",
    "labels": "bytes flipped in labels",
    "anywhere": "bytes flipped anywhere",
    "sector": "sectors of 512 bytes zeroed",
    "cut": "cut off",
}


def findings(full: bool, folder: Path) -> list[Finding]:
    """200 files of each kind (50 in the short form)."""
    path = write_small(folder / "run.h5")
    command = [sys.executable, "-c", textwrap.dedent(READER), str(path), *(["200", "2"] if full else ["50", "60"])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        last = (done.stderr.splitlines() or [f"exit status {done.returncode}"])[-1]
        return [Finding("damaged files", "no crash, no hang", last, False)]
    found = []
    for kind, outcome in json.loads(done.stdout).items():
        measured = f"{outcome['refused']} refused, {outcome['right']} right, {outcome['wrong']} wrong"
        # A byte that nothing stands in may be flipped; one of the data, the manifest or the labels may not.
        must_refuse = kind in ("data", "manifest", "labels")
        holds = not outcome["wrong"] and outcome["refused"] > 0 and not (must_refuse and outcome["right"])
        found.append(Finding(KINDS[kind], "the right data or a FormatError", measured, holds))
    return found
