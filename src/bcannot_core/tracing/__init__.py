"""Tracing neurites with a policy, in any volume: one, or many in many processes."""

from bcannot_core.tracing.batch import trace_many
from bcannot_core.tracing.trace import STOPS, Trace
from bcannot_core.tracing.tracer import TraceOptions, Tracer, trace

__all__ = ["STOPS", "Trace", "TraceOptions", "Tracer", "trace", "trace_many"]
