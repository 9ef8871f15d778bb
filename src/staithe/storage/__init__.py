"""SQL: the only place that knows it. Functions take a connection, and decide nothing about the business."""
