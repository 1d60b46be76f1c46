"""What the frame tells about itself: traces, metrics and logs, one provider per service."""
