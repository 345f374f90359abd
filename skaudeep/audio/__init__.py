"""Audio files and waveforms to spectra: pure functions, without scikit-learn and torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
