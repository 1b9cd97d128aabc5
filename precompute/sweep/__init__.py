"""Many runs: the paper's tables, one after another, several at a time, or on a cluster."""
