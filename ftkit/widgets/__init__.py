"""What a notebook shows and a learner touches: drawn from plain records, trained in workers."""

from ftkit.widgets.freeze_lab import FreezeLab

__all__ = ["FreezeLab"]
