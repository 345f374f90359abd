"""How well features tell classes apart: the protocol, its results and their comparison."""

from skaudeep._base import LearningTags
from skaudeep.evaluation.detections import DetectionScores, event_scores, segment_scores
from skaudeep.evaluation.labelling import labelling_order
from skaudeep.evaluation.protocol import evaluate
from skaudeep.evaluation.results import Comparison, Evaluation, compare
from skaudeep.statistics import BandStatistics

__all__ = [
    "BandStatistics",
    "Comparison",
    "DetectionScores",
    "Evaluation",
    "LearningTags",
    "compare",
    "evaluate",
    "event_scores",
    "labelling_order",
    "segment_scores",
]
