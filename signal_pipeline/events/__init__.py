"""CloudEvents on HTTP and on Kafka: bytes and headers in, events out."""
