"""What the process tells about itself: redacted logs, metrics, trace context, a bounded buffer, spans out by OTLP."""
