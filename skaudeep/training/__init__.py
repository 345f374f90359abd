"""The training loop and what feeds it; it knows no network by name."""
