"""What a notebook shows and a learner touches: drawn from plain records, trained in workers."""

from ftkit.widgets.backbone_race import BackboneRace
from ftkit.widgets.check import Check
from ftkit.widgets.course_progress import CourseProgress
from ftkit.widgets.difference_lab import DifferenceLab
from ftkit.widgets.freeze_lab import FreezeLab
from ftkit.widgets.prediction_browser import PredictionBrowser
from ftkit.widgets.quiz import Quiz
from ftkit.widgets.side_by_side import SideBySide

__all__ = [
    "BackboneRace",
    "Check",
    "CourseProgress",
    "DifferenceLab",
    "FreezeLab",
    "PredictionBrowser",
    "Quiz",
    "SideBySide",
]
