from .embedding import project as project
from .losses import LossCurveDisplay as LossCurveDisplay
from .spectrograms import ReconstructionDisplay as ReconstructionDisplay
from .spectrograms import SpectrogramDisplay as SpectrogramDisplay
