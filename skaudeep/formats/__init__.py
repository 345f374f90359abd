"""Data sets in files: NetCDF, CSV and ARFF in auDeep's layouts, and their fusion."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
