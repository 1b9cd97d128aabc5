"""`layers[].receptive_field` of a manifest: which part of the image a position depends on."""

from typing import Any

from store.file.manifest import mapping

Box = tuple[float, float, float, float]  # top, left, height, width, as parts of the image's sides


def box(record: dict[str, Any], position: int) -> Box | None:
    """Of a layer's position, rows first; None where the file does not say, or says what cannot be."""
    field = mapping(record.get("receptive_field"))
    side, rows, columns = (field.get(key) for key in ("side", "rows", "columns"))
    if not (isinstance(rows, list) and isinstance(columns, list) and columns and type(side) is int and side > 0):
        return None
    if not 0 <= position < len(rows) * len(columns) or len(rows) * len(columns) != record.get("positions"):
        return None
    spans = rows[position // len(columns)], columns[position % len(columns)]
    if not all(_is_span(span, side) for span in spans):
        return None
    (top, bottom), (left, right) = spans
    return top / side, left / side, (bottom - top) / side, (right - left) / side


def _is_span(span: Any, side: int) -> bool:
    return (
        isinstance(span, list) and len(span) == 2 and all(type(end) is int for end in span)
        and 0 <= span[0] < span[1] <= side
    )  # fmt: skip
