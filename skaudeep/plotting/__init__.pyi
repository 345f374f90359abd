from .embedding import EmbeddingDisplay as EmbeddingDisplay
from .embedding import project as project
from .errors import ErrorsDisplay as ErrorsDisplay
from .losses import LossCurveDisplay as LossCurveDisplay
from .results import ComparisonDisplay as ComparisonDisplay
from .results import ConfusionDisplay as ConfusionDisplay
from .spectrograms import ReconstructionDisplay as ReconstructionDisplay
from .spectrograms import SpectrogramDisplay as SpectrogramDisplay
