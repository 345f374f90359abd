"""How well features tell classes apart: the protocol, its results and their comparison."""

from skaudeep._base import LearningTags
from skaudeep.evaluation.protocol import BandStatistics, evaluate
from skaudeep.evaluation.results import Comparison, Evaluation, compare

__all__ = ["BandStatistics", "Comparison", "Evaluation", "LearningTags", "compare", "evaluate"]
