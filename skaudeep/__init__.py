"""skaudeep: features from unlabelled audio, as scikit-learn transformers.

`__init__.pyi` lists the names and where they come from. A module, and with it torch or librosa,
loads when one of its names is first used.
"""

import lazy_loader

from skaudeep._version import __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
