"""Signal Pipeline: CloudEvents functions between Kafka and PostgreSQL."""

__version__ = "0.1.0"
