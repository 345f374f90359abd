"""How well features tell classes apart: the protocol, its results and their comparison."""

from skaudeep._base import LearningTags
from skaudeep.evaluation.anomalies import (
    AnomalyEvaluation,
    anomaly_metrics,
    evaluate_anomalies,
)
from skaudeep.evaluation.detections import DetectionScores, event_scores, segment_scores
from skaudeep.evaluation.labelling import labelling_order
from skaudeep.evaluation.protocol import evaluate
from skaudeep.evaluation.results import Comparison, Evaluation, compare
from skaudeep.statistics import BandStatistics

__all__ = [
    "AnomalyEvaluation",
    "BandStatistics",
    "Comparison",
    "DetectionScores",
    "Evaluation",
    "LearningTags",
    "anomaly_metrics",
    "compare",
    "evaluate",
    "evaluate_anomalies",
    "event_scores",
    "labelling_order",
    "segment_scores",
]


def __dir__() -> list[str]:
    return __all__  # what completion offers: not the modules behind
