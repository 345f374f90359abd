"""Evaluation of features for a task: cross-validation, its results and their comparison."""

from skaudeep._base import LearningTags
from skaudeep.evaluation.agreement import (
    concordance_correlation,
    pearson,
    root_mean_squared_error,
    spearman,
)
from skaudeep.evaluation.anomalies import (
    AnomalyEvaluation,
    anomaly_metrics,
    evaluate_anomalies,
)
from skaudeep.evaluation.comparison import ScoreComparison
from skaudeep.evaluation.detections import DetectionScores, event_scores, segment_scores
from skaudeep.evaluation.labelling import labelling_order
from skaudeep.evaluation.multilabel import MultiLabelEvaluation
from skaudeep.evaluation.over_time import OverTimeEvaluation, evaluate_over_time
from skaudeep.evaluation.protocol import evaluate
from skaudeep.evaluation.regression import RegressionEvaluation
from skaudeep.evaluation.results import Comparison, Evaluation, compare
from skaudeep.statistics import BandStatistics

__all__ = [
    "AnomalyEvaluation",
    "BandStatistics",
    "Comparison",
    "DetectionScores",
    "Evaluation",
    "LearningTags",
    "MultiLabelEvaluation",
    "OverTimeEvaluation",
    "RegressionEvaluation",
    "ScoreComparison",
    "anomaly_metrics",
    "compare",
    "concordance_correlation",
    "evaluate",
    "evaluate_anomalies",
    "evaluate_over_time",
    "event_scores",
    "labelling_order",
    "pearson",
    "root_mean_squared_error",
    "segment_scores",
    "spearman",
]


def __dir__() -> list[str]:
    return __all__  # completion offers these names, not the modules
