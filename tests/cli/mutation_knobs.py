"""How long and how the tests try a server whose clients say almost the right thing, or anything.

SLUICE_MUTATION_SECONDS is how long each server is tried, each test knowing how long it needs;
SLUICE_MUTATION_SEED what is drawn from: the same seed says the same."""

import os

SEED = int(os.environ.get("SLUICE_MUTATION_SEED", "1"))


def seconds(usual):
    """How long each server is tried; `usual` in the ordinary test."""
    return float(os.environ.get("SLUICE_MUTATION_SECONDS", usual))
