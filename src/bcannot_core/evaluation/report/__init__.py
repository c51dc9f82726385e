"""Reports of training runs: one page with tables, curves and pictures."""

from bcannot_core.evaluation.report.build import ReportOptions, build_report
from bcannot_core.evaluation.report.page import Page

__all__ = ["Page", "ReportOptions", "build_report"]
