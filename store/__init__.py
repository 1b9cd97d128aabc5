"""Results on disk, and what they mean: the file format, lazy reading, and the measurement of field matrices."""

from store.measure import LayerMeasure, estimates, measure_factored, measure_layer, permutation, scan_order

__all__ = ["LayerMeasure", "estimates", "measure_factored", "measure_layer", "permutation", "scan_order"]
