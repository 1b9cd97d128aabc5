"""The networks, their weights, and where the paper's layers are tapped in them."""
