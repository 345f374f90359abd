"""Data sets as scikit-learn Bunches: readers, downloads, checks, splits, a sound generator."""

import lazy_loader

# Commands look at a table before they load pandas and scikit-learn.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
